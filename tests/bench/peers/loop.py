"""kafka-python, a message at a time: consume, predict, send. Positions are committed by a timer: at least once, nearly (a send
may be lost that was not answered when its position was committed)."""

import json

from kafka import KafkaConsumer, KafkaProducer

from tests.bench.peers.scorer import ARTICLES, BROKERS, GROUP, VERDICTS, verdicts


def main() -> None:
    """Until it is ended."""
    consumer = KafkaConsumer(ARTICLES, bootstrap_servers=BROKERS, group_id=GROUP, auto_offset_reset="earliest")
    producer = KafkaProducer(bootstrap_servers=BROKERS, linger_ms=5)
    for message in consumer:
        (verdict,) = verdicts([json.loads(message.value)])
        producer.send(VERDICTS, json.dumps(verdict).encode(), message.key)


if __name__ == "__main__":
    main()
