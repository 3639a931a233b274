"""(d) From produce to the alert that a read_committed consumer sees: p50 and p99 at 50 and at 500 articles a second."""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition

from stream.broker import dies_with_parent
from stream.kafka_io.clients import free_consumer
from stream.kafka_io.watch import until_end
from stream.settings import Settings
from tests.bench.ground import ROOT, SERVICE, BenchFault, Ground, behind, environment, fill, ground, running
from tests.bench.machine import cpu_seconds, facts
from tests.bench.measures import Figure, Promise, Result, percentile
from tests.bench.pass_through import arguments
from tests.conftest import fresh_topics

TITLE: Final = "From produce to the alert seen"
RATES: Final = (50, 500)
PATIENCE_S: Final = 60.0
WARM: Final = 200
STAGES: Final = ("poll", "classify", "send", "flush", "commit")


@dataclass(frozen=True, slots=True)
class Seen:
    """Milliseconds from planned time to alert seen; when the plan began; how late the pacer was; the service's CPU an article."""

    ms: list[float]
    start_s: float
    late_ms: float
    cpu_us: float


class _Id(msgspec.Struct):
    id: str


class _Named(msgspec.Struct):
    article: _Id
    alert: bool = True


def bench(texts: str | None, seconds: float) -> Result:
    """The service at each rate, then a bare pass-through for the floor, then the service with its stages timed."""
    machine = facts()
    with ground(texts, 0, partitions=2) as where:
        found, words = _service(where, texts, seconds)
        floor = _floor(where, texts, seconds, words)
        stages = tuple(_stages(where, texts, min(seconds, 20.0)))
    p99 = percentile(found[50].ms, 99)
    return Result(
        part="latency",
        title=TITLE,
        setup={"seconds at each rate": f"{seconds:g}", "partitions": "2", "loop": "open, lateness counted"},
        machine=machine,
        promises=(
            Promise(name="p99 at 50 articles/s", value=p99, needed=150.0, aim=30.0, unit="ms"),
            Promise(name="p99 at 50 articles/s / of a bare pass-through", value=p99 / percentile(floor[50].ms, 99)),
        ),
        figures=(*_figures("newsalert run", found), *_figures("pass-through", floor), *stages),
    )


def _quiet(where: Ground, texts: str | None) -> Settings:
    """Topics of its own, with a few articles to warm up on."""
    settings = where.fresh()
    settings = replace(settings, articles_topic=fresh_topics(settings.brokers, 2).articles)
    fill(settings, texts, WARM)
    return settings


def _service(where: Ground, texts: str | None, seconds: float) -> tuple[dict[int, Seen], list[str]]:
    settings = _quiet(where, texts)
    with running([SERVICE], environment(settings)) as (process,):
        _await(settings)
        found = {
            rate: _paced(settings, process.pid, rate, seconds, texts, lambda value: _id(value).article.id)
            for rate in RATES
        }
    sizes = (
        [len(r.value or b"") for r in until_end(topic, settings)]
        for topic in (settings.verdicts_topic, settings.alerts_topic)
    )
    return found, arguments(*map(iter, sizes))


def _floor(where: Ground, texts: str | None, seconds: float, words: list[str]) -> dict[int, Seen]:
    settings = _quiet(where, texts)
    with running([[sys.executable, "-m", "tests.bench.pass_through", *words]], environment(settings)) as (process,):
        _await(settings)
        return {rate: _paced(settings, process.pid, rate, seconds, texts, _begins) for rate in RATES}


def _stages(where: Ground, texts: str | None, seconds: float) -> Iterator[Figure]:
    for rate in RATES:
        settings = _quiet(where, texts)
        with tempfile.TemporaryDirectory(prefix="newsalert-bench-") as folder:
            told = Path(folder, "stages.json")
            with running([[sys.executable, "-m", "tests.bench.staged", str(told)]], environment(settings)) as (
                process,
            ):
                _await(settings)
                seen = _paced(settings, process.pid, rate, seconds, texts, lambda value: _id(value).article.id)
            batches = [batch for batch in json.loads(told.read_text()) if batch["end"] >= seen.start_s]
        for name in STAGES:
            ms = [batch[name] for batch in batches]
            note = f"p50 {percentile(ms, 50):.1f}; {len(ms):,} batches" + " (waiting for articles is in it)" * (
                name == "poll"
            )
            yield Figure(name=f"{rate}/s, stage {name}: p99", value=percentile(ms, 99), unit="ms", note=note)


def _paced(
    settings: Settings, pid: int, rate: int, seconds: float, texts: str | None, name_of: Callable[[bytes], str]
) -> Seen:
    """Sends at the rate and watches the alerts. Raises BenchFault where an alert does not come."""
    prefix = f"at{rate}-"
    command = [sys.executable, "-m", "tests.bench.pacer", prefix, str(rate), str(seconds), *([texts] if texts else [])]
    with _alerts(settings) as poll:
        cpu = cpu_seconds([pid])
        pacer = subprocess.Popen(dies_with_parent(command), env=environment(settings), cwd=ROOT, stdout=subprocess.PIPE)
        try:
            seen = dict(_watched(poll, pacer, lambda: not behind(settings), name_of))
        finally:
            with contextlib.suppress(ProcessLookupError):
                pacer.terminate()
            words, _ = pacer.communicate()
        cpu = cpu_seconds([pid]) - cpu
    plan = json.loads(words)
    due = {name: plan["start"] + int(name.removeprefix(prefix)) / rate for name in seen if name.startswith(prefix)}
    return Seen(
        [1000 * (seen[name] - due[name]) for name in due], plan["start"], plan["late_ms"], 1e6 * cpu / plan["count"]
    )


def _watched(
    poll: Callable[[], Sequence[bytes]],
    pacer: subprocess.Popen[bytes],
    done: Callable[[], bool],
    name_of: Callable[[bytes], str],
) -> Iterator[tuple[str, float]]:
    """(article id, time seen) of alerts, until all is sent and every article has its verdict, and then once more."""
    deadline: float | None = None
    while True:
        ended = pacer.poll() is not None
        deadline = deadline or (time.monotonic() + PATIENCE_S if ended else None)
        last = ended and done()
        values = poll()
        now = time.monotonic()
        yield from ((name_of(value), now) for value in values)
        if last and not values:
            return
        if deadline and now > deadline:
            raise BenchFault(f"verdicts missing {PATIENCE_S:.0f} s after the last article was sent; its last words:")


@contextmanager
def _alerts(settings: Settings) -> Iterator[Callable[[], Sequence[bytes]]]:
    """What gives the values of alerts as they are committed, from now on."""
    consumer: KafkaConsumer = free_consumer(settings)
    place = TopicPartition(settings.alerts_topic, 0)
    consumer.assign([place])
    consumer.seek_to_end(place)
    consumer.position(place)

    def poll() -> list[bytes]:
        return [record.value for records in consumer.poll(timeout_ms=250).values() for record in records]

    try:
        yield poll
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)


def _await(settings: Settings) -> None:
    """Waits until every article there is has its verdict. Raises BenchFault."""
    deadline = time.monotonic() + PATIENCE_S
    while left := behind(settings):
        if time.monotonic() > deadline:
            raise BenchFault(f"{left} articles without a verdict after {PATIENCE_S:.0f} s; its last words:")
        time.sleep(0.05)


def _id(value: bytes) -> _Named:
    return msgspec.json.decode(value, type=_Named)


def _begins(value: bytes) -> str:
    """The id of an article whose record was cut: it stands first."""
    return value.split(b'"', 4)[3].decode()


def _figures(name: str, found: dict[int, Seen]) -> Iterator[Figure]:
    for rate, seen in found.items():
        note = f"{len(seen.ms):,} alerts, sent {seen.late_ms:.1f} ms late at p99, CPU {seen.cpu_us:,.0f} µs an article"
        for percent in (50, 99):
            value: Any = percentile(seen.ms, percent)
            yield Figure(name=f"{name}, {rate}/s: p{percent}", value=value, unit="ms", note=note)
