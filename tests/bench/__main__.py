"""Benchmarks, each a ratio within one run: python -m tests.bench [PART...] (also `make bench ARGS="PART..."`)

    service   the service against a bare kafka-python pass-through, CPU an article
    peers     the service against FastStream, Quix Streams, bytewax and a plain loop, around the same estimator
    latency   from produce to the alert seen, at 50 and 500 articles a second
    memory    resident memory over many articles
    workers   two workers against one
    parse     seconds a MB of hostile records (prints only)
    scorer    the served model against its estimator (prints only)

Without a part: all but peers, which needs --estimator. Results go to build/bench/PART.json;
`python -m tests.bench.report --take` puts them into the page. All but memory's first half, parse and scorer need Java 17 and Maven.
"""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import msgspec

from stream.faults import BrokerFault
from stream.files import BadFile
from tests.bench import bench_latency, bench_memory, bench_peers, bench_service, bench_workers
from tests.bench.ground import ROOT, BenchFault
from tests.bench.measures import Result
from tests.bench.report import BUILD, markdown
from tests.bench.texts import TEXTS, files
from tests.kafka_jars import KafkaMissing
from tests.kafka_server import ServerFault

ESTIMATOR: Final = "ESTIMATOR"
INTERRUPTED: Final = 128 + signal.SIGINT
PRINTED: Final = {"parse": "bench_parse_linear", "scorer": "bench_scorer"}


def parts(options: argparse.Namespace) -> dict[str, Callable[[], Result]]:
    """What each part's name does, with the numbers asked for or its own."""
    texts, limit = options.texts, options.limit

    def count(usual: int) -> int:
        return options.articles or usual

    return {
        "service": lambda: bench_service.bench(texts, count(40_000), limit),
        "latency": lambda: bench_latency.bench(texts, options.seconds),
        "workers": lambda: bench_workers.bench(texts, count(40_000), limit),
        "memory": lambda: bench_memory.bench(texts, count(1_000_000), limit),
        "peers": lambda: bench_peers.bench(texts, count(20_000), limit, Path(options.estimator)),
    }


def main() -> int:
    """Runs the parts; 0 when all were measured."""
    options = _options()
    signal.signal(signal.SIGTERM, _interrupted)
    known, status = parts(options), 0
    for name in options.parts or [name for name in known if name != "peers" or options.estimator]:
        try:
            status |= _printed(name) if name in PRINTED else _kept(known[name]())
        except KeyboardInterrupt:
            print(f"{name}: interrupted; what it started has ended", file=sys.stderr)
            return INTERRUPTED
        except (BadFile, BenchFault, BrokerFault, KafkaMissing, ServerFault) as fault:
            print(f"{name}: NOT MEASURED: {fault}", file=sys.stderr, flush=True)
            status = 1
    return status


def _kept(result: Result) -> int:
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / f"{result.part}.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    print(markdown([result]), flush=True)
    return 1 if result.missing else 0


def _printed(name: str) -> int:
    module = f"tests.bench.{PRINTED[name]}"
    if importlib.util.find_spec(module) is None:
        raise BenchFault(f"there is no {module}")
    return subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False).returncode


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*parts(argparse.Namespace(texts=None, limit=0)), *PRINTED]
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(names))
    parser.add_argument(
        "--texts", help=f".jsonl or .jsonl.gz of articles, with commas between; else {TEXTS}, else training/corpus"
    )
    parser.add_argument("--articles", type=int, help="how many, in place of the part's own number")
    parser.add_argument("--seconds", type=float, default=60.0, help="latency: at each rate")
    parser.add_argument(
        "--limit", type=float, default=120.0, help="seconds behind the warm-up after which a program is stopped"
    )
    parser.add_argument(
        "--estimator",
        default=os.environ.get(ESTIMATOR),
        help=f"peers: estimator.joblib of a trained version; else {ESTIMATOR}",
    )
    options = parser.parse_args()
    options.parts = [word for part in options.parts for word in part.split()]
    if unknown := [name for name in options.parts if name not in names]:
        parser.error(f"{', '.join(unknown)}: no such part; there are {', '.join(names)}")
    if "peers" in options.parts and not options.estimator:
        parser.error("peers needs --estimator: `newsalert train` leaves estimator.joblib in the version's folder")
    if missing := [path for path in files(options.texts) if not Path(path).is_file()]:
        parser.error(f"{', '.join(missing)}: no such file; name .jsonl or .jsonl.gz files of articles")
    options.texts = ",".join(str(Path(path).resolve()) for path in files(options.texts))
    return options


def _interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    """So that a killed bench ends what it started, as after Ctrl-C."""
    raise KeyboardInterrupt(signal.Signals(number).name)


if __name__ == "__main__":
    sys.exit(main())
