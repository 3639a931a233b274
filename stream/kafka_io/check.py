"""Check: is everything there that a worker needs? Asked line by line, before anything is consumed."""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, for_code

from stream.faults import BrokerFault
from stream.kafka_io.clients import admin, group_consumer, transactional_producer
from stream.settings import Settings

Topics = dict[str, dict[str, Any]]
HEADERS: Final = 4096  # what a dead letter's headers add at most: names, places and one sentence


class Finding(NamedTuple):
    """One line of `newsalert check`: what was looked at, whether it is fit, and what was seen or what to do."""

    what: str
    fit: bool
    told: str


def check_brokers(settings: Settings) -> Iterator[Finding]:
    """Brokers, topics, permissions, group and transactions, in the order in which one needs the other."""
    try:
        client = admin(settings)
    except BrokerFault as fault:
        yield Finding("brokers", False, str(fault))
        return
    try:
        yield from _asked("brokers", lambda: _brokers(client, settings))
        found: Topics = {}
        yield from _asked("topics", lambda: _listed(client, settings, found))
        for name, operation in needed(settings).items():
            yield _topic(name, operation, found.get(name))
        yield from _asked("sizes", lambda: _sizes(client, settings, found))
    finally:
        client.close()
    yield from _asked("consumer group", lambda: _group(settings))
    yield from _asked("transactions", lambda: _transactions(settings))


def needed(settings: Settings) -> dict[str, str]:
    """What a worker does with each topic, as the ACL operation it takes."""
    return {
        settings.articles_topic: "READ",
        settings.verdicts_topic: "WRITE",
        settings.alerts_topic: "WRITE",
        settings.dead_topic: "WRITE",
    }


def _asked(what: str, ask: Callable[[], str]) -> Iterator[Finding]:
    try:
        told = ask()
    except (KafkaError, BrokerFault, OSError, RuntimeError) as fault:
        yield Finding(what, False, f"{type(fault).__name__}: {fault}")
        return
    if told:
        yield Finding(what, True, told)


def _brokers(client: Any, settings: Settings) -> str:
    try:
        cluster = client.describe_cluster()
    except KeyError:  # kafka-python and an older broker; what matters is that it answered
        return f"{settings.brokers}: answers"
    return f"{settings.brokers}: cluster {cluster.get('cluster_id')}, {len(cluster['brokers'])} broker(s)"


def _listed(client: Any, settings: Settings, found: Topics) -> str:
    for topic in client.describe_topics(list(needed(settings))):
        found[topic["name"]] = topic
    return ""


def _topic(name: str, operation: str, topic: dict[str, Any] | None) -> Finding:
    what = f"topic {name}"
    if topic is None:
        return Finding(what, False, "the brokers said nothing of it")
    if topic["error_code"]:
        error = for_code(topic["error_code"]).__name__
        return Finding(what, False, f"{error}: create it, or allow Describe on it to this user")
    allowed = topic.get("authorized_operations")
    if allowed is not None and operation not in allowed and "ALL" not in allowed:
        return Finding(what, False, f"this user may not {operation.lower()}: allow {operation} on it")
    partitions = topic["partitions"]
    copies = min(len(partition["replica_nodes"]) for partition in partitions)
    permission = (
        f"{operation.lower()} allowed" if allowed is not None else f"{operation.lower()} not told by the broker"
    )
    return Finding(what, True, f"{len(partitions)} partition(s), {copies} replica(s), {permission}")


def _sizes(client: Any, settings: Settings, found: Topics) -> str:
    names = [name for name, topic in found.items() if not topic["error_code"]]
    limits = {name: _limit(client, name) for name in names}
    articles, dead = limits.get(settings.articles_topic), limits.get(settings.dead_topic)
    if articles is not None and dead is not None and dead < articles + HEADERS:
        return (
            f"advice: a refused record of {settings.articles_topic} ({articles:,} bytes at most) might not fit into "
            f"{settings.dead_topic} ({dead:,}) with its headers, and would stop the worker: set max.message.bytes of "
            f"{settings.dead_topic} to {articles + HEADERS:,} or more"
        )
    return f"a refused record of {settings.articles_topic} fits into {settings.dead_topic}" if articles and dead else ""


def _limit(client: Any, topic: str) -> int | None:
    asked = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": None})
    try:
        told = client.describe_configs([asked], config_filter="all")["topic"][topic]
        return int(told["max.message.bytes"]["value"])
    except (KafkaError, KeyError, TypeError, ValueError):  # not every broker tells, and not everybody may ask
        return None


def _group(settings: Settings) -> str:
    consumer = group_consumer(settings)
    try:
        for number in sorted(consumer.partitions_for_topic(settings.articles_topic) or ())[:1]:
            from_ = _committed(consumer, settings.articles_topic, number)
            return f"'{settings.group}' may be read; partition {number} goes on from {from_}"
        return f"'{settings.group}': topic {settings.articles_topic} has no partition to ask about"
    finally:
        consumer.close(autocommit=False, timeout_ms=2000)


def _committed(consumer: Any, topic: str, number: int) -> str:
    offset = consumer.committed(TopicPartition(topic, number), timeout_ms=10_000)
    return "its beginning" if offset is None else f"offset {offset}"


def _transactions(settings: Settings) -> str:
    name = f"{settings.group}-check"
    transactional_producer(settings, name).close(timeout=2)
    return f"transactional id '{name}' may be used"
