"""Watch: the records of a topic as they come, outside any group."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from stream.faults import BrokerFault
from stream.kafka_io.clients import free_consumer
from stream.kafka_io.source import to_record
from stream.settings import Settings
from stream.worker import Record

POLL_MS: Final = 250


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """The topic's partitions; raises BrokerFault where it does not exist or may not be seen."""
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise BrokerFault(f"topic '{topic}': does not exist, or this user may not see it; 'newsalert check' tells more")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def watch(
    topics: Sequence[str],
    settings: Settings,
    *,
    from_start: bool = False,
    last: int = 0,
    ended: Callable[[], bool] = lambda: False,
) -> Iterator[Record]:
    """Committed records of `topics` as they come, from now on, after the `last` ones of each partition, or from the start.

    Goes on until `ended()` says so. Raises BrokerFault.
    """
    consumer = free_consumer(settings)
    try:
        places = [place for topic in topics for place in partitions_of(consumer, topic)]
        consumer.assign(places)
        _seek(consumer, places, from_start=from_start, last=last)
        while not ended():
            for records in consumer.poll(timeout_ms=POLL_MS).values():
                yield from map(to_record, records)
    except KafkaError as fault:
        raise BrokerFault(f"topics {', '.join(topics)}: {fault!r}") from fault
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)


def until_end(topic: str, settings: Settings) -> Iterator[Record]:
    """Every committed record that stands in `topic` now, by partition and offset; then it ends. Raises BrokerFault."""
    consumer = free_consumer(settings)
    try:
        places = partitions_of(consumer, topic)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends: dict[Any, int] = consumer.end_offsets(places)
        while any(consumer.position(place) < ends[place] for place in places):
            for place, records in consumer.poll(timeout_ms=POLL_MS).items():
                yield from (to_record(record) for record in records if record.offset < ends[place])
    except KafkaError as fault:
        raise BrokerFault(f"topic '{topic}': {fault!r}") from fault
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)


def _seek(consumer: KafkaConsumer, places: list[TopicPartition], *, from_start: bool, last: int) -> None:
    if from_start:
        consumer.seek_to_beginning(*places)
        return
    first, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
    for place in places:
        consumer.seek(place, max(first[place], end[place] - last))
