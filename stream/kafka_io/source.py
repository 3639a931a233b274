"""Source: batches of a consumer group's share of the topic `articles`."""

from collections.abc import Mapping
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import IllegalStateError

from stream.kafka_io.clients import group_consumer, offsets_behind
from stream.settings import Settings
from stream.worker import Batch, Record

POLL_MS: Final = 500  # an idle worker notices a signal this soon
CLOSE_MS: Final = 10_000


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    def __init__(self) -> None:
        self.joined = False

    def on_partitions_revoked(self, revoked: Any) -> None:
        """The batch in hand is fenced by its group generation; nothing to do here."""

    def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002
        """A share was given, be it an empty one."""
        self.joined = True

    def on_partitions_lost(self, lost: Any) -> None:  # noqa: ARG002
        """The group went on without this worker; it joins anew in the next poll."""
        self.joined = False


class KafkaSource:
    """A member of the consumer group. Not for more than one thread. Raises BrokerFault where no broker answers."""

    def __init__(self, settings: Settings) -> None:
        self._consumer: KafkaConsumer = group_consumer(settings)
        self._listener = _Listener()
        self._consumer.subscribe([settings.articles_topic], listener=self._listener)

    @property
    def joined(self) -> bool:
        """Has the group given this member its share?"""
        return self._listener.joined

    def poll(self) -> Batch:
        """What there is, without waiting to fill a batch; at most `batch_records`, after at most half a second."""
        found = self._consumer.poll(timeout_ms=POLL_MS)
        records = [to_record(record) for taken in found.values() for record in taken]
        if not records:
            return Batch(())
        # The generation is taken with the records: were it taken at commit, a batch polled before a
        # rebalance could be committed under the generation after it.
        return Batch(records, (_after(found), self._consumer.group_metadata()))

    def rewind(self, batch: Batch) -> None:
        """Back to the batch's first record in each partition still held; the others are another member's now."""
        first: dict[TopicPartition, int] = {}
        for record in batch.records:
            place = TopicPartition(record.topic, record.partition)
            first[place] = min(record.offset, first.get(place, record.offset))
        for place, offset in first.items():
            if place in self._consumer.assignment():
                try:
                    self._consumer.seek(place, offset)
                except (IllegalStateError, AssertionError):  # given up between the two lines
                    continue

    def lag(self) -> list[tuple[str, int, int]]:
        """(topic, partition, records behind) of each partition held."""
        return list(offsets_behind(self._consumer))

    def close(self) -> None:
        """Leaves the group, so that others take over at once."""
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)


def to_record(raw: Any) -> Record:
    """kafka-python's ConsumerRecord as a Record."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp or 0, raw.key, raw.value, _headers(raw.headers))


def _headers(raw: Any) -> list[tuple[str, bytes]]:
    return [(name, bytes(value) if value is not None else b"") for name, value in raw or ()]


def _after(found: Mapping[TopicPartition, list[Any]]) -> dict[TopicPartition, OffsetAndMetadata]:
    """The offset behind the last record of each partition."""
    return {place: OffsetAndMetadata(taken[-1].offset + 1, "", -1) for place, taken in found.items() if taken}
