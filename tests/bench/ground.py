"""Ground: Apache Kafka with a filled topic, on which programs run one after the other and are looked at while they do."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError

from stream.broker import dies_with_parent
from stream.kafka_io.clients import free_consumer, plain_producer
from stream.kafka_io.watch import partitions_of, until_end
from stream.settings import Settings, variable
from stream.worker import Record
from tests.bench.machine import cpu_seconds, family, resident_mb
from tests.bench.measures import Cost, Sample, cost
from tests.bench.texts import articles, files, items
from tests.conftest import fresh_topics
from tests.kafka_server import apache_kafka

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = ("brokers", "group", "articles_topic", "verdicts_topic", "alerts_topic", "dead_topic", "batch_records")
LOOK_S: Final = 0.01  # between two looks at a running program
START_S: Final = 120.0  # to wait for its first verdict
END_S: Final = 30.0
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class BenchFault(Exception):
    """A program under measure did not do its work; says which, and what it printed last."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A broker, its process, and settings whose `articles_topic` holds `count` articles."""

    settings: Settings
    broker_pid: int
    count: int

    def fresh(self) -> Settings:
        """The same articles, with a group and output topics that nobody has used."""
        topics = fresh_topics(self.settings.brokers, 1)
        return replace(
            self.settings,
            group=f"bench-{uuid.uuid4().hex[:12]}",
            verdicts_topic=topics.verdicts,
            alerts_topic=topics.alerts,
            dead_topic=topics.dead,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What a program did: its cost behind the warm-up, its outputs, resident MB at the end and at the highest."""

    cost: Cost
    verdicts: list[Record]
    alerts: list[Record]
    resident_mb: float
    peak_mb: float


@contextmanager
def broker() -> Iterator[tuple[str, int]]:
    """The address and the process of a broker of its own, ended and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="newsalert-bench-") as folder, apache_kafka(Path(folder)) as cluster:
        yield cluster.bootstrap, cluster.nodes[0].pid


@contextmanager
def ground(texts: str | None, count: int, partitions: int) -> Iterator[Ground]:
    """A broker whose topic of `partitions` holds `count` articles of `texts`, keyed by their ids."""
    with broker() as (bootstrap, pid):
        topics = fresh_topics(bootstrap, partitions)
        settings = replace(Settings(), brokers=bootstrap, articles_topic=topics.articles)
        fill(settings, texts, count)
        yield Ground(settings, pid, count)


def fill(settings: Settings, texts: str | None, count: int) -> None:
    """Sends `count` articles and waits until the broker has them. Raises BrokerFault, BadFile."""
    producer = plain_producer(settings)
    try:
        for name, record in islice(articles(items(files(texts))), count):
            last = producer.send(settings.articles_topic, record, name.encode())
            if name.endswith("000"):  # kafka-python itself has no bound
                last.get(timeout=END_S)
        producer.flush(timeout=END_S)
    finally:
        producer.close(timeout=END_S)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The variables of a program that runs with `settings`; none of this process's own NEWSALERT_* but the model's."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("NEWSALERT_")}
    model = {name: os.environ[name] for name in ("NEWSALERT_MODEL", "NEWSALERT_MODEL_HOME") if name in os.environ}
    told = {variable(name): str(getattr(settings, name)) for name in NAMES}
    quiet = {"NEWSALERT_HTTP_PORT": "0", "NEWSALERT_LOG_LEVEL": "WARNING"}
    return own | ONE_THREAD | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"} | model | told | quiet | more


SERVICE: Final = (sys.executable, "-m", "stream", "run")


@contextmanager
def running(commands: Sequence[Sequence[str]], environ: Mapping[str, str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The commands' processes, told to end afterwards, and killed where they do not; their words go to a file."""
    with tempfile.TemporaryDirectory(prefix="newsalert-bench-") as folder:
        log = Path(folder, "log")
        started: list[subprocess.Popen[bytes]] = []
        try:
            with log.open("ab") as words:
                for command in commands:
                    started.append(_started(command, environ, words, folder))
            yield started
        except BenchFault as fault:
            raise BenchFault(f"{fault}\n{log.read_text(errors='replace')[-3000:]}") from None
        finally:
            _end(started)


def _started(command: Sequence[str], environ: Mapping[str, str], words: Any, folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        dies_with_parent(command),
        env=dict(environ) | {"BENCH_FOLDER": folder},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=words,
        start_new_session=True,  # Ctrl-C is for the bench, which ends them
    )


def held(processes: Sequence[subprocess.Popen[bytes]], meanwhile: Callable[[], None]) -> None:
    """Stops the processes and their children while something is done; their group must be patient enough."""
    for process in processes:
        os.killpg(process.pid, signal.SIGSTOP)
    try:
        meanwhile()
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGCONT)


def _end(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measured(
    ground: Ground,
    commands: Sequence[Sequence[str]],
    settings: Settings,
    environ: Mapping[str, str],
    *,
    warm: int,
    limit_s: float,
    begin: Callable[[Sequence[subprocess.Popen[bytes]]], None] = lambda _processes: None,
) -> Run:
    """Runs the programs until every article has its verdict, or `limit_s` seconds behind the warm-up. Raises BenchFault.

    `begin` is called with the started processes before the first look.
    """
    with ends_of(settings) as end, running(commands, environ) as processes:
        begin(processes)
        pids = [pid for process in processes for pid in family(process.pid)]
        samples = list(_looks(end, pids, ground, lambda: _alive(processes), warm, limit_s))
        if not samples or samples[-1].end < warm:
            raise BenchFault(
                f"{' '.join(commands[0][-2:])}: fewer than {warm} verdicts in {START_S:.0f} s; its last words:"
            )
        memory = [resident_mb(pid) for pid in pids]
    verdicts = list(until_end(settings.verdicts_topic, settings))
    try:
        found = cost(samples, [record.offset for record in verdicts], warm)
    except ValueError as fault:
        raise BenchFault(f"{' '.join(commands[0][-2:])}: {fault}") from fault
    alerts = list(until_end(settings.alerts_topic, settings))
    return Run(found, verdicts, alerts, max(now for now, _ in memory), max(peak for _, peak in memory))


def _alive(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is not None:
            raise BenchFault(f"{_called(process)} ended by itself with {process.returncode}; its last words:")


def _called(process: subprocess.Popen[bytes]) -> str:
    return " ".join(map(str, process.args[-3:])) if isinstance(process.args, list) else str(process.args)


def _looks(
    end: Callable[[], int], pids: Sequence[int], ground: Ground, alive: Callable[[], None], warm: int, limit_s: float
) -> Iterator[Sample]:
    """A sample whenever the output topic has grown: right then the CPU time is that of the articles written."""
    last, deadline, within = 0, time.monotonic() + START_S, False
    while last < ground.count and time.monotonic() < deadline:
        alive()
        if (now := end()) > last:
            last = now
            yield Sample(now, cpu_seconds(pids), cpu_seconds([ground.broker_pid]), time.monotonic())
            if now >= warm and not within:
                within, deadline = True, time.monotonic() + limit_s
        time.sleep(LOOK_S)


@contextmanager
def ends_of(settings: Settings) -> Iterator[Callable[[], int]]:
    """What gives the end of the committed part of the verdicts."""
    consumer: KafkaConsumer = free_consumer(settings)
    place = TopicPartition(settings.verdicts_topic, 0)
    try:
        yield lambda: int(consumer.end_offsets([place])[place])
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)


def behind(settings: Settings) -> int:
    """Articles that the group has not committed."""
    found: dict[TopicPartition, Any] = {}
    with KafkaAdminClient(bootstrap_servers=settings.brokers) as admin, suppress(CoordinatorNotAvailableError):
        found = admin.list_group_offsets(settings.group)[
            settings.group
        ]  # a broker's first group has no coordinator yet
    consumer: KafkaConsumer = free_consumer(settings)
    try:
        places = partitions_of(consumer, settings.articles_topic)
        ends: dict[TopicPartition, int] = consumer.end_offsets(places)
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)
    return sum(end - max(0, found[place].offset if place in found else 0) for place, end in ends.items())


def await_shares(settings: Settings, members: int) -> None:
    """Waits until so many members of the group have a share of the articles each. Raises BenchFault."""
    deadline = time.monotonic() + START_S
    with KafkaAdminClient(bootstrap_servers=settings.brokers) as admin:
        while (found := _shares(admin, settings.group)) != members:
            if time.monotonic() > deadline:
                raise BenchFault(f"{found} of {members} workers have a share after {START_S:.0f} s; their last words:")
            time.sleep(0.1)


def _shares(admin: KafkaAdminClient, group: str) -> int:
    with suppress(CoordinatorNotAvailableError):
        found = admin.describe_groups([group])[group]
        stable = found["group_state"] == "Stable"
        return sum(
            bool((one["member_assignment"] or {}).get("assigned_partitions")) for one in found["members"] if stable
        )
    return 0
