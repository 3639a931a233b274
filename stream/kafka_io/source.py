"""Source: batches of a consumer group's share of the topic `articles`."""

from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CorruptRecordError, IllegalStateError

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
        try:
            found = self._consumer.poll(timeout_ms=POLL_MS)
        except CorruptRecordError as fault:
            return self._past_corrupt(fault)
        records = [to_record(record) for taken in found.values() for record in taken]
        return self._batch(records, {place: taken[-1].offset + 1 for place, taken in found.items() if taken})

    def _batch(self, records: list[Record], after: dict[TopicPartition, int]) -> Batch:
        """The records with the group's generation, taken now: at commit it could be that of a later share-out, or, after an
        eviction, -1, which the broker takes without any check."""
        if not records:
            return Batch(())
        member = self._consumer.group_metadata()
        batch = Batch(records, ({place: OffsetAndMetadata(offset, "", -1) for place, offset in after.items()}, member))
        if member.generation_id <= 0:
            self.rewind(batch)
            return Batch(())
        return batch

    def _past_corrupt(self, fault: CorruptRecordError) -> Batch:
        """kafka-python cannot decode the next record (a header name that is not UTF-8, a broken checksum) and, left alone, would
        spin on it for ever. It is stepped over and given as a record with a fault, to be told of in the dead letters."""
        place = self._consumer._fetcher._next_partition_records.topic_partition
        offset = self._consumer.position(place, timeout_ms=1000)
        self._consumer.seek(place, offset + 1)
        unreadable = Record(place.topic, place.partition, offset, 0, None, None, [], str(fault) or type(fault).__name__)
        return self._batch([unreadable], {place: offset + 1})

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
                except (IllegalStateError, ValueError):  # given up between the two lines
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
