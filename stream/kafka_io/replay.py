"""Replay: dead letters back to the topic they came from.

Dead letters are never removed: a replay copies. How far it came is committed in the same transaction as the copies, for each
reason in a group of its own, so a replay stopped half-way goes on where it was, and one that is run again repeats nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from stream.article import Reason
from stream.faults import BrokerFault
from stream.kafka_io.clients import free_consumer
from stream.kafka_io.sink import KafkaSink
from stream.kafka_io.watch import partitions_of, until_end
from stream.settings import Settings
from stream.worker import Headers, Outgoing

TOLD: Final = frozenset(
    {"source_topic", "source_partition", "source_offset", "source_timestamp", "source_value", "reason", "error"}
)
TOGETHER: Final = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as `replay --list` shows it."""

    partition: int
    offset: int
    reason: str
    error: str
    source: str


def letters(settings: Settings) -> Iterable[Letter]:
    """All dead letters there are. Raises BrokerFault."""
    for record in until_end(settings.dead_topic, settings):
        told = _told(record.headers)
        source = f"{told.get('source_topic', '?')}/{told.get('source_partition', '?')}/{told.get('source_offset', '?')}"
        yield Letter(record.partition, record.offset, told.get("reason", "?"), told.get("error", ""), source)


def replay_reason(reason: Reason, settings: Settings, copied: Callable[[int], None]) -> int:
    """Copies the dead letters of `reason` that no replay has copied yet; returns how many. Raises BrokerFault."""
    group = f"{settings.group}.replay.{reason}"
    consumer, sink, count = free_consumer(settings, group_id=group), KafkaSink(settings), 0
    try:
        places = partitions_of(consumer, settings.dead_topic)
        consumer.assign(places)
        first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, max(first[place], consumer.committed(place) or 0))
        while any(consumer.position(place) < end[place] for place in places):
            found = consumer.poll(timeout_ms=250, max_records=TOGETHER)
            chosen = [
                _outgoing(record, settings) for taken in found.values() for record in taken if _reason(record) == reason
            ]
            if found:
                after = {place: OffsetAndMetadata(taken[-1].offset + 1, "", -1) for place, taken in found.items()}
                _commit(sink, chosen, (after, group))
                count += len(chosen)
                copied(len(chosen))
    except KafkaError as fault:
        raise BrokerFault(f"topic '{settings.dead_topic}': {fault!r}") from fault
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)
        sink.close()
    return count


def replay_offsets(places: Sequence[tuple[int, int]], settings: Settings) -> int:
    """Copies the dead letters at these (partition, offset), whether copied before or not, all or none. Raises BrokerFault."""
    consumer, sink = free_consumer(settings), KafkaSink(settings)
    try:
        partitions_of(consumer, settings.dead_topic)
        chosen = [_outgoing(_at(consumer, partition, offset, settings), settings) for partition, offset in places]
        _commit(sink, chosen, None)
    except KafkaError as fault:
        raise BrokerFault(f"topic '{settings.dead_topic}': {fault!r}") from fault
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)
        sink.close()
    return len(places)


def _at(consumer: Any, partition: int, offset: int, settings: Settings) -> Any:
    place = TopicPartition(settings.dead_topic, partition)
    consumer.assign([place])
    end = consumer.end_offsets([place])[place]
    if not consumer.beginning_offsets([place])[place] <= offset < end:
        raise BrokerFault(
            f"{settings.dead_topic}: partition {partition} has no offset {offset}; 'newsalert replay --list' shows all"
        )
    consumer.seek(place, offset)
    while consumer.position(place) < end:
        for record in consumer.poll(timeout_ms=250, max_records=1).get(place, []):
            if record.offset == offset:
                return record
            break
    raise BrokerFault(f"{settings.dead_topic}: nothing at partition {partition}, offset {offset}")


def _commit(sink: KafkaSink, chosen: Sequence[Outgoing], position: tuple[Any, str] | None) -> None:
    sink.begin()
    for outgoing in chosen:
        sink.send(outgoing)
    sink.flush()
    sink.commit(position)


def _outgoing(record: Any, settings: Settings) -> Outgoing:
    """The record as it first came: key, value and headers, with a header that says where it was taken from."""
    told = _told(record.headers)
    own: Headers = [(name, bytes(value or b"")) for name, value in record.headers if name not in TOLD]
    origin = f"{settings.dead_topic}/{record.partition}/{record.offset}"
    own = [pair for pair in own if pair[0] != "replayed_from"] + [("replayed_from", origin.encode())]
    return Outgoing(told.get("source_topic", settings.articles_topic), record.key, record.value, own)


def _reason(record: Any) -> str:
    return _told(record.headers).get("reason", "")


def _told(headers: Any) -> dict[str, str]:
    return {name: bytes(value or b"").decode("utf-8", "replace") for name, value in headers if name in TOLD}
