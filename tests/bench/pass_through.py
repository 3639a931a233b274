"""A bare kafka-python loop with the service's topics, transactions and batch size, which looks at nothing it forwards.

    python -m tests.bench.pass_through VERDICT_BYTES ALERT_BYTES ALERTS_PER_1000

It writes as many records and bytes to verdicts and alerts as it is told that the service does, cut out of the articles themselves.
"""

import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from kafka import OffsetAndMetadata

from stream.kafka_io.clients import group_consumer, transactional_producer
from stream.settings import Settings

HEADERS = [("content-type", b"application/json")]


def main(verdict_bytes: int, alert_bytes: int, alerts_per_1000: int) -> None:
    """Forwards until SIGTERM."""
    settings = Settings.from_env(os.environ)
    consumer, producer = group_consumer(settings), transactional_producer(settings, settings.group)
    consumer.subscribe([settings.articles_topic])
    told = stopped()
    due = 0
    while not told():
        found = consumer.poll(timeout_ms=500)
        if not found:
            continue
        producer.begin_transaction()
        for records in found.values():
            for record in records:
                producer.send(settings.verdicts_topic, cut(record.value, verdict_bytes), record.key, HEADERS)
                due += alerts_per_1000
                if due >= 1000:
                    due -= 1000
                    producer.send(settings.alerts_topic, cut(record.value, alert_bytes), record.key, HEADERS)
        after = {place: OffsetAndMetadata(records[-1].offset + 1, "", -1) for place, records in found.items()}
        producer.send_offsets_to_transaction(after, consumer.group_metadata())
        producer.commit_transaction()
    consumer.close(autocommit=False)
    producer.close()


def cut(value: bytes, size: int) -> bytes:
    """`size` bytes that begin as `value`."""
    return value[:size] if len(value) >= size else (value * (size // len(value) + 1))[:size]


class stopped:  # noqa: N801  (called like a function)
    """True once SIGTERM came."""

    def __init__(self) -> None:
        self._told = False
        signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True

    def __call__(self) -> bool:
        return self._told


def arguments(verdicts: Iterator[int], alerts: Iterator[int]) -> list[str]:
    """The words of this program for a service whose verdicts and alerts have these sizes in bytes, headers included."""
    sizes, more = list(verdicts), list(alerts)
    share = round(1000 * len(more) / len(sizes))
    return [str(round(sum(sizes) / len(sizes))), str(round(sum(more) / max(1, len(more)))), str(share)]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
