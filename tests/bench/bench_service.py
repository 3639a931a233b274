"""(b) The whole service against a bare kafka-python pass-through: CPU time of the process for an article."""

import sys
from collections.abc import Iterable
from typing import Final

from stream.worker import Record
from tests.bench.ground import SERVICE, Ground, Run, environment, ground, measured
from tests.bench.machine import facts
from tests.bench.measures import Figure, Promise, Result
from tests.bench.pass_through import arguments

TITLE: Final = "The service against a bare kafka-python pass-through"


def bench(texts: str | None, count: int, limit_s: float) -> Result:
    """Both on the same broker and articles, one after the other."""
    warm = min(5_000, count // 4)
    machine = facts()
    with ground(texts, count, partitions=2) as where:
        service = run_service(where, warm, limit_s)
        bare = _run_bare(where, service, warm, limit_s)
    ratio = service.cost.us / bare.cost.us
    return Result(
        part="service",
        title=TITLE,
        setup={"articles": f"{count:,}", "to warm up": f"{warm:,}", "partitions": "2", "batch": "500"},
        machine=machine,
        promises=(Promise(name="CPU of the service / of the pass-through", value=ratio, needed=3.0, aim=1.5),),
        figures=(*_figures("newsalert run", service), *_figures("pass-through", bare)),
    )


def run_service(where: Ground, warm: int, limit_s: float) -> Run:
    """`newsalert run` on fresh outputs."""
    settings = where.fresh()
    return measured(where, [SERVICE], settings, environment(settings), warm=warm, limit_s=limit_s)


def _run_bare(where: Ground, service: Run, warm: int, limit_s: float) -> Run:
    settings = where.fresh()
    words = arguments(map(_size, service.verdicts), map(_size, service.alerts))
    command = [sys.executable, "-m", "tests.bench.pass_through", *words]
    return measured(where, [command], settings, environment(settings), warm=warm, limit_s=limit_s)


def _size(record: Record) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers if name != "content-type")
    return len(record.value or b"") + headers


def _figures(name: str, run: Run) -> Iterable[Figure]:
    sent = sum(map(_size, run.verdicts)) + sum(map(_size, run.alerts))
    share = len(run.alerts) / len(run.verdicts)
    yield Figure(name=f"{name}: CPU an article", value=run.cost.us, unit="µs", note=f"{run.cost.articles:,} articles")
    yield Figure(name=f"{name}: by the clock", value=run.cost.rate, unit="articles/s")
    yield Figure(
        name=f"{name}: written an article", value=sent / len(run.verdicts), unit="bytes", note=f"{share:.0%} alerts"
    )
    yield Figure(name=f"{name}: broker's CPU an article", value=run.cost.broker_us, unit="µs")
    yield Figure(name=f"{name}: resident memory", value=run.resident_mb, unit="MB", note=f"highest {run.peak_mb:.0f}")
