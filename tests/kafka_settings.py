"""The settings of Apache Kafka's nodes for tests: small, quick, and safe side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOG4J = """
rootLogger.level = info
rootLogger.appenderRef.out.ref = OUT
appender.out.type = Console
appender.out.name = OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1}: %m%n
"""


@dataclass(frozen=True, slots=True)
class Address:
    """A node of a cluster: its number from 1, the port for clients and the port for controllers."""

    node: int
    port: int
    controller_port: int


def server_properties(data: Path, own: Address, cluster: Sequence[Address]) -> str:
    """The text of server.properties for the node `own` of `cluster`, with its log directory at `data`."""
    replicas = len(cluster)
    values = {
        "process.roles": "broker,controller",
        "node.id": own.node,
        "controller.quorum.voters": ",".join(f"{a.node}@127.0.0.1:{a.controller_port}" for a in cluster),
        "listeners": f"PLAINTEXT://127.0.0.1:{own.port},CONTROLLER://127.0.0.1:{own.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{own.port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        **_replication(replicas),
        **_TOPICS,
        **_QUICK,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _replication(replicas: int) -> dict[str, object]:
    in_sync = max(1, replicas - 1)
    return {
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


_TOPICS: dict[str, object] = {
    "auto.create.topics.enable": "false",
    "num.partitions": 2,
    # an article of 1 MB, in JSON with every sign escaped, with its headers
    "message.max.bytes": 8 << 20,
    "replica.fetch.max.bytes": 8 << 20,
}

# Small internal topics and short patience: tests kill clients and nodes and wait for the consequences.
_QUICK: dict[str, object] = {
    "offsets.topic.num.partitions": 2,
    "transaction.state.log.num.partitions": 2,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 3000,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 4 << 20,
}
