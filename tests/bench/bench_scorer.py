"""CPU microseconds an article: the served model beside the fitted scikit-learn estimator, and against an article's length.

python tests/bench/bench_scorer.py [MODEL] [TEXTS.jsonl.gz]

MODEL is a model folder with its estimator (one that `newsalert train` made; the shipped one has none and is measured alone).
TEXTS holds one article a line (headline, text; plain or gzip); without it the corpus of training/corpus is read.
"""

# ruff: noqa: E402  (what is imported reads the environment)
import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):  # one thread each
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import gzip
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from stream.features import full_text
from stream.home import SHIPPED
from stream.model import load_model, score
from training.export import ESTIMATOR, load_estimator

BATCHES = (1, 16, 64, 256)
LENGTHS = (50, 100, 200, 400, 800, 1_600, 5_000)  # words
MOST = 1_024  # articles
SLOW = 256  # articles for the estimator
ROUNDS = 7


def texts_of(file: Path | None) -> list[str]:
    """The full texts, spread evenly over the file, at most MOST."""
    files = [file] if file else sorted((ROOT / "training" / "corpus").glob("*.jsonl"))
    whole = b"".join(gzip.decompress(one.read_bytes()) if one.suffix == ".gz" else one.read_bytes() for one in files)
    lines = whole.splitlines()
    records = [json.loads(line) for line in lines[:: max(1, len(lines) // MOST)][:MOST]]
    return [full_text(record.get("headline"), record["text"]) for record in records]


def cpu_us(read: Callable[[Sequence[str]], object], texts: Sequence[str], batch: int) -> float:
    """CPU microseconds a text in batches of `batch`: the best of ROUNDS, so that a busy machine is not taken for slow code."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for begin in range(0, len(texts), batch):
            read(texts[begin : begin + batch])
        best = min(best, time.process_time() - start)
    return best / len(texts) * 1e6


def of_length(texts: Sequence[str], words: int) -> list[str]:
    """64 texts of exactly so many words, made of those of `texts` one after the other."""
    every = [word for text in texts for word in text.split()]
    every *= 1 + 64 * words // len(every)
    return [" ".join(every[begin : begin + words]) for begin in range(0, 64 * words, words)]


def processor() -> str:
    """What Linux calls it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Prints the tables."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    start, cpu = time.perf_counter(), time.process_time()
    model = load_model(folder)
    loaded = f"{time.perf_counter() - start:.1f} s, {time.process_time() - cpu:.1f} s of CPU"
    texts = texts_of(Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    estimator = load_estimator(folder)["pipeline"].decision_function if (folder / ESTIMATOR).exists() else None
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy", "scikit-learn"))
    print(f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {libraries}")
    words = sum(len(text.split()) for text in texts) / len(texts)
    print(f"model {model.card.version}, {len(model.weights):,} features, loaded in {loaded}")
    print(f"{len(texts):,} texts of {words:.0f} words; CPU us an article, best of {ROUNDS}, one thread\n")
    print(f"{'batch':>8}{'estimator':>12}{'served':>10}{'ratio':>8}")
    for batch in BATCHES:
        served = cpu_us(lambda some: score(model, some), texts, batch)
        theirs = cpu_us(estimator, texts[:SLOW], batch) if estimator else None
        told = f"{theirs:12.0f}{served:10.1f}{theirs / served:8.1f}" if theirs else f"{'-':>12}{served:10.1f}{'-':>8}"
        print(f"{batch:8}{told}")
    print(f"\n{'words':>8}{'served':>10}{'us a 100 words':>18}")
    for length in LENGTHS:
        served = cpu_us(lambda some: score(model, some), of_length(texts, length), 64)
        print(f"{length:8,}{served:10.1f}{served / length * 100:18.1f}")


if __name__ == "__main__":
    main()
