"""Topics: made for the demo and for tests; in production they belong to whoever runs the brokers."""

from kafka.admin import NewTopic
from kafka.errors import KafkaError

from stream.faults import BrokerFault
from stream.kafka_io.clients import admin
from stream.settings import Settings

SMALL: dict[str, str] = {"retention.bytes": "10485760"}  # the embedded broker ignores fetch sizes


def create_topics(settings: Settings, partitions: int = 1) -> None:
    """Creates the service's five topics. Raises BrokerFault, also where one exists."""
    client = admin(settings)
    names = [
        settings.articles_topic,
        settings.verdicts_topic,
        settings.alerts_topic,
        settings.dead_topic,
        settings.feedback_topic,
    ]
    try:
        client.create_topics([NewTopic(name, partitions, 1, topic_configs=SMALL) for name in names])
    except KafkaError as fault:
        raise BrokerFault(f"topics {', '.join(names)}: not created: {fault!r}") from fault
    finally:
        client.close()
