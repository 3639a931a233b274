"""Sends articles at planned times, whatever the broker or the service do (an open loop), and says when the plan began.

    python -m tests.bench.pacer PREFIX RATE SECONDS [TEXTS]

The article `PREFIXn` is due RATE * n seconds behind the start. One that is sent late counts from its planned time all the same.
Prints JSON: `start` on the clock that all processes of a machine share, `count`, and `late_ms`, the lateness of sending at p99.
"""

import json
import os
import sys
import time
from itertools import islice

from kafka import KafkaProducer

from stream.kafka_io.clients import PatientClient, connection
from stream.settings import Settings
from tests.bench.measures import percentile
from tests.bench.texts import articles, files, items


def main(prefix: str, rate: float, seconds: float, texts: str | None = None) -> None:
    """Sends them all, waits for the broker, prints."""
    settings = Settings.from_env(os.environ)
    planned = list(islice(articles(items(files(texts)), prefix), int(rate * seconds)))
    producer = KafkaProducer(
        **connection(settings), acks="all", linger_ms=0, kafka_client=PatientClient, metrics_enabled=False
    )
    producer.partitions_for(settings.articles_topic)  # the first send waits for no metadata
    start, late = time.monotonic() + 0.5, []
    for number, (name, record) in enumerate(planned):
        due = start + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        producer.send(settings.articles_topic, record, name.encode())
        late.append(time.monotonic() - due)
    producer.flush(timeout=60)
    producer.close()
    print(json.dumps({"start": start, "count": len(planned), "late_ms": 1000 * percentile(late, 99)}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])
