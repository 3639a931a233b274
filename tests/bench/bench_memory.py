"""(f) Resident memory over many articles through `classify`, and of a worker on Kafka."""

import json
import subprocess
import sys
from typing import Final

from stream.broker import dies_with_parent
from stream.settings import Settings
from tests.bench.bench_service import run_service
from tests.bench.ground import ROOT, BenchFault, environment, ground
from tests.bench.machine import facts
from tests.bench.measures import Figure, Promise, Result

TITLE: Final = "Memory over many articles"
FIRST: Final = 50_000  # by then caches are as full as they get, or should be
WORKER_ARTICLES: Final = 20_000


def bench(texts: str | None, count: int, limit_s: float) -> Result:
    """`count` articles in one process without Kafka, then a worker on Kafka."""
    machine, first = facts(), min(FIRST, count // 2)
    found = _in_process(texts, first, count)
    with ground(texts, min(count, WORKER_ARTICLES), partitions=2) as where:
        worker = run_service(where, min(count, WORKER_ARTICLES) // 4, limit_s)
    growth = 100 * (found["all"] / found["first"] - 1)
    each = 1e6 * found["cpu_s"] / found["count"]
    note = f"highest {found['peak']:.0f}; {found['refused']:.0f} refused; {each:.0f} µs of CPU each"
    return Result(
        part="memory",
        title=TITLE,
        setup={"articles": f"{count:,}", "batch": "500"},
        machine=machine,
        promises=(Promise(name=f"growth from {first:,} to {count:,} articles", value=growth, needed=5.0, unit="%"),),
        figures=(
            Figure(name=f"classify: resident after {first:,}", value=found["first"], unit="MB"),
            Figure(name=f"classify: resident after {count:,}", value=found["all"], unit="MB", note=note),
            Figure(
                name="worker on Kafka: resident at the end",
                value=worker.resident_mb,
                unit="MB",
                note=f"highest {worker.peak_mb:.0f}; {len(worker.verdicts):,} articles",
            ),
        ),
    )


def _in_process(texts: str | None, first: int, count: int) -> dict[str, float]:
    words = [sys.executable, "-m", "tests.bench.memory_run", str(first), str(count), *([texts] if texts else [])]
    done = subprocess.run(
        dies_with_parent(words), env=environment(Settings()), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchFault(f"memory_run ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found
