"""The main job end to end, on the embedded broker and on Apache Kafka: what goes in comes out once, in order, or is kept."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Self

import pytest
from kafka import KafkaProducer

from stream.article import Reason
from stream.files import Document
from stream.kafka_io.check import check_brokers
from stream.kafka_io.publish import publish
from stream.kafka_io.replay import letters, replay_offsets, replay_reason
from stream.kafka_io.watch import until_end, watch
from stream.service import Service, start
from stream.settings import Settings, variable
from stream.worker import Record
from tests.conftest import APACHE, Broker, Topics
from tests.fakes import article, tiny_model
from tests.test_commands import _children
from tests.test_crew import until
from tests.test_model import write_tiny

PATIENCE_S = 60.0
ALARM = "The airlift goes on, men were hunted."


@pytest.fixture
def settings(broker: Broker, topics: Topics) -> Settings:
    """A worker's settings on fresh topics; the name keeps the embedded broker from waiting for dead members."""
    return replace(
        Settings(),
        brokers=broker.bootstrap,
        group=f"group-{topics.articles}",
        instance_id=f"one-{topics.articles}",
        articles_topic=topics.articles,
        verdicts_topic=topics.verdicts,
        alerts_topic=topics.alerts,
        dead_topic=topics.dead,
        feedback_topic=topics.feedback,
        http_port=0,
        batch_records=50,
        refusal_run=0,
        refusal_share=1.0,
        session_timeout_s=10.0,
    )


@contextmanager
def working(settings: Settings) -> Iterator[Service]:
    """A worker on a thread of this process, stopped in good order at the end."""
    service = start(settings, tiny_model())
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield service
    finally:
        service.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the worker did not stop when told"


def plain(values: list[bytes]) -> list[Document]:
    return [Document(value, None, f"test:{number}") for number, value in enumerate(values)]


def wait_for(settings: Settings, count: int) -> list[Record]:
    """The first `count` verdicts and dead letters that a read_committed reader sees."""
    found: list[Record] = []
    patience = threading.Event()
    timer = threading.Timer(PATIENCE_S, patience.set)
    timer.start()
    topics = [settings.verdicts_topic, settings.dead_topic]
    for record in watch(topics, settings, from_start=True, ended=patience.is_set):
        found.append(record)
        if len(found) == count:
            break
    timer.cancel()
    assert len(found) == count, f"{len(found)} of {count} after {PATIENCE_S} s"
    return found


def ids(settings: Settings, topic: str) -> list[str]:
    return [json.loads(record.value or b"")["article"]["id"] for record in until_end(topic, settings)]


def test_every_article_comes_out_once_and_in_the_order_of_its_partition(settings: Settings) -> None:
    values = [
        b"\xff" if number % 10 == 7 else article(number, ALARM if number % 5 == 0 else "Quiet.")
        for number in range(400)
    ]
    publish(plain(values), settings)
    partition_of = {
        json.loads(r.value or b"")["id"]: r.partition
        for r in until_end(settings.articles_topic, settings)
        if r.value != b"\xff"
    }

    with working(settings):
        wait_for(settings, 400)

    seen = ids(settings, settings.verdicts_topic)
    assert sorted(seen) == sorted(partition_of)
    by_partition: dict[int, list[int]] = defaultdict(list)
    for name in seen:
        by_partition[partition_of[name]].append(int(name[1:]))
    assert len(by_partition) == 2
    assert all(numbers == sorted(numbers) for numbers in by_partition.values())
    assert sorted(ids(settings, settings.alerts_topic)) == sorted(f"a{n}" for n in range(0, 400, 5) if n % 10 != 7)
    assert [letter.reason for letter in letters(settings)] == ["not_utf8"] * 40


def test_a_worker_that_is_stopped_goes_on_where_it_was(settings: Settings) -> None:
    publish(plain([article(number) for number in range(100)]), settings)
    with working(settings):
        wait_for(settings, 100)
    publish(plain([article(number) for number in range(100, 150)]), settings)

    with working(settings):
        wait_for(settings, 150)

    assert Counter(ids(settings, settings.verdicts_topic)) == Counter(f"a{number}" for number in range(150))


def test_two_workers_share_the_partitions_and_nothing_is_done_twice(settings: Settings) -> None:
    with working(settings), working(replace(settings, instance_id="two-" + settings.group)):
        publish(plain([article(number) for number in range(500)]), settings, rate=500)
        wait_for(settings, 500)

    assert Counter(ids(settings, settings.verdicts_topic)) == Counter(f"a{number}" for number in range(500))


def test_ten_thousand_strings_of_random_and_broken_bytes_are_all_kept_with_a_reason(settings: Settings) -> None:
    rng = random.Random(20260303)
    values = [_nonsense(rng) for _ in range(10_000)]
    publish(plain(values), settings)

    with working(replace(settings, batch_records=500)):
        found = wait_for(settings, 10_000)

    dead = [record for record in found if record.topic == settings.dead_topic]
    assert {dict(record.headers)["reason"].decode() for record in dead} <= set(Reason)
    assert all(dict(record.headers)["error"] for record in dead)
    assert len(dead) > 8_000
    kept = Counter(record.value for record in dead)
    assert all(count <= Counter(values)[value or b""] for value, count in kept.items())


def _nonsense(rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return rng.randbytes(rng.randrange(1, 60))
    value = bytearray(
        b'{"id": "x%d", "text": "Some text", "published": "2026-03-03", "version": 1}' % rng.randrange(10**9)
    )
    for _ in range(rng.randrange(1, 6)):
        value[rng.randrange(len(value))] = rng.randrange(256)
    return bytes(value)


def test_replay_copies_each_dead_letter_once_however_often_it_is_stopped(settings: Settings) -> None:
    publish(plain([b"\xff%d" % number for number in range(30)] + [b"{" for _ in range(5)]), settings)
    with working(settings):
        wait_for(settings, 35)

    class Stopped(Exception):
        pass

    def stop(_count: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        replay_reason(Reason.NOT_UTF8, settings, stop)
    replay_reason(Reason.NOT_UTF8, settings, lambda _count: None)

    assert replay_reason(Reason.NOT_UTF8, settings, lambda _count: None) == 0
    copies = [r for r in until_end(settings.articles_topic, settings) if "replayed_from" in dict(r.headers)]
    assert Counter(copy.value for copy in copies) == Counter(b"\xff%d" % number for number in range(30))
    assert all("reason" not in dict(copy.headers) for copy in copies)


def test_one_dead_letter_can_be_replayed_by_its_offset(settings: Settings) -> None:
    publish(plain([b"\xff", b"{", b"["]), settings)
    with working(settings):
        wait_for(settings, 3)
    chosen = next(letter for letter in letters(settings) if letter.reason == "not_json")

    replay_offsets([(chosen.partition, chosen.offset)], settings)

    copies = [r.value for r in until_end(settings.articles_topic, settings) if "replayed_from" in dict(r.headers)]
    assert copies == [b"{"]


def test_the_port_tells_when_the_worker_is_ready_and_what_it_did(settings: Settings) -> None:
    publish(plain([article(1, ALARM)]), settings)

    with working(settings) as service:
        wait_for(settings, 1)
        base = f"http://127.0.0.1:{service.http_port}"
        with urllib.request.urlopen(f"{base}/readyz", timeout=10) as answer:
            assert answer.status == 200
        assert 'newsalert_articles_total{outcome="alert"} 1.0' in _when_counted(base)


def _when_counted(base: str) -> str:
    """The metrics, once the batch is counted: records are visible a moment before their counters."""
    ended = threading.Event()
    timer = threading.Timer(PATIENCE_S, ended.set)
    timer.start()
    text = ""
    while not ended.is_set() and "newsalert_batch_articles_count 1.0" not in text:
        with urllib.request.urlopen(f"{base}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    timer.cancel()
    return text


def test_check_finds_all_fit_and_names_a_missing_topic(settings: Settings) -> None:
    assert [found for found in check_brokers(settings) if not found.fit] == []

    unfit = [found.what for found in check_brokers(replace(settings, alerts_topic="no-such-topic")) if not found.fit]

    assert unfit == ["topic no-such-topic"]


def test_a_header_that_no_client_can_decode_does_not_stop_the_stream(settings: Settings) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.brokers)

    class Undecodable(str):
        __slots__ = ()

        def encode(self, *_: Any) -> bytes:
            return b"\xff\xfe"

    producer.send(settings.articles_topic, article(1), partition=0).get(10)
    producer.send(settings.articles_topic, article(2), partition=0, headers=[(Undecodable("x"), b"")]).get(10)
    producer.send(settings.articles_topic, article(3), partition=0).get(10)
    producer.close()

    with working(settings):
        wait_for(settings, 3)

    assert sorted(ids(settings, settings.verdicts_topic)) == ["a1", "a3"]
    assert [letter.reason for letter in letters(settings)] == ["corrupt_record"]


class Process:
    """`newsalert run` as a user starts it."""

    def __init__(self, settings: Settings, model: Path, folder: Path) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("NEWSALERT_")}
        names = (
            "brokers group instance_id articles_topic verdicts_topic alerts_topic dead_topic http_port batch_records "
            "refusal_run refusal_share session_timeout_s workers"
        )
        given = {variable(name): str(getattr(settings, name)) for name in names.split()}
        self.words = folder / f"{settings.instance_id}.log"
        self._stream: IO[bytes] = self.words.open("ab")
        command = [sys.executable, "-m", "stream", "run", "--model", str(model)]
        self.process = subprocess.Popen(command, env=own | given, stderr=self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves nothing running where a test failed."""
        if self.process.poll() is None:
            self.end(signal.SIGKILL)

    def end(self, number: int) -> int:
        """The exit status after this signal."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_S)
        self._stream.close()
        return status


def test_sigterm_finishes_the_batch_and_a_kill_loses_and_repeats_nothing(
    broker: Broker, settings: Settings, tmp_path: Path
) -> None:
    """The embedded broker now and then hides what follows a killed worker's open transaction: there none is killed."""
    kill = signal.SIGKILL if broker.name == APACHE else signal.SIGTERM
    model = write_tiny(tmp_path / "model")
    first = Process(settings, model, tmp_path)
    publish(plain([article(number) for number in range(1000)]), settings)
    wait_for(settings, 100)
    assert first.end(kill) == (-signal.SIGKILL if kill is signal.SIGKILL else 0)

    second = Process(settings, model, tmp_path)
    wait_for(settings, 1000)

    assert second.end(signal.SIGTERM) == 0, second.words.read_text()
    assert Counter(ids(settings, settings.verdicts_topic)) == Counter(f"a{number}" for number in range(1000))


class Port:
    """The one port of a parent and its workers."""

    def __init__(self, words: Path) -> None:
        self.base = until(lambda: re.search(r"http://127\.0\.0\.1:\d+", words.read_text()))[0]  # type: ignore[index]

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.base}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False

    def value(self, name: str) -> float:
        """The metric's sum over its labels."""
        with urllib.request.urlopen(f"{self.base}/metrics", timeout=10) as answer:
            return sum(float(n) for n in re.findall(rf"^{name}(?:{{.*}})? (.+)$", answer.read().decode(), re.MULTILINE))


def _kill_one_where_all_is_counted(pids: list[int], port: Port, settings: Settings) -> None:
    """Kills the first of the workers, stopped at a moment when all that is committed is counted: a count follows its commit, and
    between the two a kill loses the count of a batch."""

    def committed() -> int:
        return len(list(until_end(settings.verdicts_topic, settings)))

    def caught() -> bool:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        same = port.value("newsalert_articles_total") == committed() == committed()
        if same:
            os.kill(pids[0], signal.SIGKILL)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        return same

    assert until(caught)


def test_workers_of_one_parent_lose_and_repeat_nothing_when_one_is_killed_and_one_port_counts_all(
    broker: Broker, settings: Settings, tmp_path: Path
) -> None:
    """The embedded broker gives a partition to two members when one of them was killed, and fences neither: there none is."""
    kills = int(broker.name == APACHE)
    values = plain([article(number) for number in range(2000)])
    with Process(replace(settings, workers=2), write_tiny(tmp_path / "model"), tmp_path) as parent:
        port = Port(parent.words)
        assert until(port.ready)
        publisher = threading.Thread(target=publish, args=(values, settings), kwargs={"rate": 400})
        publisher.start()
        assert until(lambda: port.value("newsalert_articles_total") > 200)
        workers = _children(parent.process.pid)
        assert len(workers) == 2

        if kills:
            _kill_one_where_all_is_counted(workers, port, settings)

        publisher.join(PATIENCE_S)
        wait_for(settings, 2000)
        assert until(lambda: port.value("newsalert_articles_total") >= 2000)
        assert port.value("newsalert_articles_total") == 2000
        assert port.value("newsalert_worker_restarts_total") == kills
        assert parent.end(signal.SIGTERM) == 0, parent.words.read_text()
    assert Counter(ids(settings, settings.verdicts_topic)) == Counter(f"a{number}" for number in range(2000))
