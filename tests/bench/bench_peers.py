"""(c) The service against what users would pick instead, each around the same estimator: CPU time of the process for an article."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.bench_service import run_service
from tests.bench.environments import python_of, versions_of
from tests.bench.ground import BenchFault, Ground, Run, environment, ground, measured
from tests.bench.machine import facts
from tests.bench.measures import Figure, Promise, Result

TITLE: Final = "The service against what users would pick instead"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program in `tests/bench/peers`, its list of versions, and how it promises delivery."""

    name: str
    module: str
    listed: str
    packages: tuple[str, ...]
    batched: bool
    delivery: str


PEERS: Final = (
    Peer("FastStream, batches", "faststream_batch", "faststream", ("faststream", "aiokafka"), True, "NACK_ON_ERROR"),
    Peer("bytewax, batches", "bytewax_batch", "bytewax", ("bytewax", "confluent-kafka"), True, "recovery store"),
    Peer(
        "Quix Streams, rows",
        "quixstreams_rows",
        "quixstreams",
        ("quixstreams", "confluent-kafka"),
        False,
        "its default",
    ),
    Peer("kafka-python loop", "loop", "loop", ("kafka-python",), False, "nearly; commit by a timer"),
)


def bench(texts: str | None, count: int, limit_s: float, estimator: Path) -> Result:
    """Each in turn on the same broker and articles; one that cannot run is named in `missing`, and on standard error."""
    warm = min(1_000, count // 4)
    machine, runs, missing = facts(), dict[str, Run](), list[str]()
    with ground(texts, count, partitions=2) as where:
        service = run_service(where, warm, limit_s)
        for peer in PEERS:
            try:
                runs[peer.name] = _run(peer, where, estimator, warm, limit_s)
            except BenchFault as fault:
                missing.append(f"{peer.name}: {str(fault).splitlines()[0]}")  # the rest names folders of this machine
                print(f"NOT MEASURED: {peer.name}: {fault}", file=sys.stderr, flush=True)
    return Result(
        part="peers",
        title=TITLE,
        setup={"articles": f"{count:,} at most", "to warm up": f"{warm:,}", "partitions": "2", "batch": "500"},
        machine=machine,
        promises=_promises(service, runs),
        figures=(_figure("newsalert run", service, "exactly once, alerts too"), *_figures(runs)),
        missing=tuple(missing),
    )


def _run(peer: Peer, where: Ground, estimator: Path, warm: int, limit_s: float) -> Run:
    settings = where.fresh()
    command = [python_of(peer.listed), "-m", f"tests.bench.peers.{peer.module}"]
    environ = environment(settings, BENCH_ESTIMATOR=str(estimator.resolve()))
    return measured(where, [command], settings, environ, warm=warm, limit_s=limit_s)


def _promises(service: Run, runs: dict[str, Run]) -> tuple[Promise, ...]:
    promises = []
    batched = [runs[peer.name].cost.us for peer in PEERS if peer.batched and peer.name in runs]
    if batched:
        value = min(batched) / service.cost.us
        promises.append(
            Promise(name="CPU of the best batched peer / of the service", value=value, needed=4.0, least=True)
        )
    if loop := runs.get("kafka-python loop"):
        value = loop.cost.us / service.cost.us
        promises.append(
            Promise(name="CPU of the per-message loop / of the service", value=value, needed=25.0, least=True)
        )
    return tuple(promises)


def _figures(runs: dict[str, Run]) -> tuple[Figure, ...]:
    told = {peer.name: f"at least once ({peer.delivery}); {versions_of(peer.listed, peer.packages)}" for peer in PEERS}
    return tuple(_figure(name, run, told[name]) for name, run in runs.items())


def _figure(name: str, run: Run, note: str) -> Figure:
    note = f"{note}; {run.cost.articles:,} articles, {run.cost.rate:,.0f}/s, {run.resident_mb:.0f} MB"
    return Figure(name=f"{name}: CPU an article", value=run.cost.us, unit="µs", note=note)
