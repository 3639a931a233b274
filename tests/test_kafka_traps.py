"""kafka-python's traps, each held shut: unbounded sends, silent failures, lost fencing, a producer that cannot abort."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerFencedError,
)
from kafka.net.compat import KafkaNetClient
from kafka.producer import sender as senders

from stream.faults import BrokerFault
from stream.kafka_io import sink as sinks
from stream.kafka_io import source as sources
from stream.kafka_io.clients import PRODUCER, PatientClient, connection
from stream.kafka_io.sink import KafkaSink
from stream.kafka_io.source import KafkaSource
from stream.settings import SecurityProtocol, Settings
from stream.worker import Outgoing, Postponed

ONE = Outgoing("verdicts", b"k", b"v", [])


@dataclass
class FakeProducer:
    """kafka-python's producer as the sink uses it; answers come when they are asked for."""

    faults: dict[str, Exception] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    unanswered: int = 0
    most_unanswered: int = 0

    def __getattr__(self, name: str) -> Callable[..., None]:
        def call(*_: Any, **__: Any) -> None:
            self.calls.append(name)
            if name in self.faults:
                raise self.faults[name]

        return call

    def send(self, *_: Any) -> Any:
        self.unanswered += 1
        self.most_unanswered = max(self.most_unanswered, self.unanswered)

        def get(timeout: float) -> None:
            self.unanswered -= 1
            if "answer" in self.faults:
                raise self.faults["answer"]

        return SimpleNamespace(get=get)


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> list[FakeProducer]:
    """Every producer that a sink makes, in order."""
    made: list[FakeProducer] = []

    def make(_settings: Settings, _name: str) -> FakeProducer:
        made.append(FakeProducer())
        return made[-1]

    monkeypatch.setattr(sinks, "transactional_producer", make)
    return made


def test_sends_that_wait_for_an_answer_are_bounded(producers: list[FakeProducer]) -> None:
    sink = KafkaSink(replace(Settings(), in_flight=7))
    sink.begin()

    for _ in range(100):
        sink.send(ONE)
    sink.flush()

    assert producers[0].most_unanswered == 7
    assert producers[0].unanswered == 0


def test_a_send_that_failed_silently_is_found_before_the_commit(producers: list[FakeProducer]) -> None:
    sink = KafkaSink(Settings())
    sink.begin()
    sink.send(ONE)
    producers[0].faults["answer"] = KafkaTimeoutError("expired in the buffer")

    with pytest.raises(Postponed, match="expired"):
        sink.flush()

    assert "commit_transaction" not in producers[0].calls


@pytest.mark.parametrize("stage", ["send_offsets_to_transaction", "commit_transaction"])
def test_a_rebalance_postpones_the_batch(producers: list[FakeProducer], stage: str) -> None:
    sink = KafkaSink(Settings())
    producers[0].faults[stage] = CommitFailedError("IllegalGenerationError")

    with pytest.raises(Postponed):
        sink.commit(({}, "member"))


@pytest.mark.parametrize(
    ("fault", "told"),
    [(ProducerFencedError(), "NEWSALERT_INSTANCE_ID"), (MessageSizeTooLargeError(), "max.message.bytes")],
)
def test_what_no_other_try_can_mend_stops_the_worker_with_advice(
    producers: list[FakeProducer], fault: Exception, told: str
) -> None:
    sink = KafkaSink(Settings())
    sink.begin()
    sink.send(ONE)
    producers[0].faults["answer"] = fault

    with pytest.raises(BrokerFault, match=told):
        sink.flush()


def test_a_producer_that_cannot_abort_is_replaced_by_one_that_fences_it(producers: list[FakeProducer]) -> None:
    sink = KafkaSink(Settings())
    producers[0].faults["abort_transaction"] = KafkaError("Invalid transition")
    producers[0].faults["close"] = KafkaTimeoutError("unsent records")

    sink.abort()
    sink.begin()

    assert producers[1].calls == ["begin_transaction"]


@dataclass
class FakeConsumer:
    """kafka-python's consumer as the source uses it, with one record to give."""

    generation: int
    sought: list[tuple[TopicPartition, int]] = field(default_factory=list)

    def subscribe(self, *_: Any, **__: Any) -> None:
        """Nothing to do."""

    def poll(self, timeout_ms: int) -> Any:
        place = TopicPartition("articles", 0)
        raw = SimpleNamespace(
            topic="articles", partition=0, offset=41, timestamp=0, key=None, value=b"{}", headers=[("h", None)]
        )
        return {place: [raw]}

    def group_metadata(self) -> Any:
        return SimpleNamespace(generation_id=self.generation)

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("articles", 0)}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought.append((place, offset))


def source_of(consumer: FakeConsumer, monkeypatch: pytest.MonkeyPatch) -> KafkaSource:
    monkeypatch.setattr(sources, "group_consumer", lambda _settings: consumer)
    return KafkaSource(Settings())


def test_records_of_an_evicted_member_are_not_taken_for_its_offsets_would_pass_unfenced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = FakeConsumer(generation=-1)

    batch = source_of(consumer, monkeypatch).poll()

    assert batch.records == ()
    assert consumer.sought == [(TopicPartition("articles", 0), 41)]


def test_a_batch_carries_the_generation_it_was_polled_under_and_the_offset_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    consumer = FakeConsumer(generation=3)

    batch = source_of(consumer, monkeypatch).poll()
    consumer.generation = 4

    offsets, member = batch.position
    assert member.generation_id == 3
    assert offsets[TopicPartition("articles", 0)].offset == 42
    assert batch.records[0].headers == [("h", b"")]


def test_a_refused_connection_does_not_lose_the_producer_s_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> bool:
        raise KafkaConnectionError("refused")

    monkeypatch.setattr(KafkaNetClient, "await_ready", refused)

    assert PatientClient.await_ready(object.__new__(PatientClient), 1) is False


def test_a_transaction_refused_because_the_last_one_is_not_through_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """kafka-python computes a short pause for this case, and then sleeps `retry_backoff_ms` all the same: 100 ms by default."""
    slept: list[float] = []
    monkeypatch.setattr(senders, "time", SimpleNamespace(sleep=slept.append))
    again = SimpleNamespace(
        is_retry=True, request="AddPartitionsToTxn", on_complete=None, needs_coordinator=lambda: False
    )
    manager = SimpleNamespace(
        is_completing=lambda: False,
        next_request_handler=lambda _incomplete: again,
        next_in_flight_request_correlation_id=lambda: 1,
    )
    client = SimpleNamespace(
        least_loaded_node=lambda: 1,
        await_ready=lambda *_, **__: True,
        send=lambda *_: SimpleNamespace(add_both=lambda *_: None),
    )
    sender = SimpleNamespace(
        _transaction_manager=manager,
        _accumulator=SimpleNamespace(has_incomplete=False),
        _client=client,
        _running=True,
        _force_close=False,
        config=senders.Sender.DEFAULT_CONFIG | PRODUCER,
    )

    assert senders.Sender._maybe_send_pending_request(sender) is True
    assert slept == [0.02]


def test_credentials_go_to_the_client_only_where_the_protocol_asks_for_them() -> None:
    plain = connection(replace(Settings(), sasl_username="desk", sasl_password="secret"))
    both = connection(
        replace(
            Settings(),
            security_protocol=SecurityProtocol.SASL_SSL,
            sasl_username="desk",
            sasl_password="secret",
            ssl_ca_file="ca.pem",
        )
    )

    assert "sasl_plain_password" not in plain
    assert (both["sasl_plain_username"], both["sasl_mechanism"], both["ssl_cafile"]) == (
        "desk",
        "SCRAM-SHA-512",
        "ca.pem",
    )
