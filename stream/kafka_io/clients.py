"""Clients: kafka-python's consumer, producer and admin client, configured once for all commands."""

import time
from collections.abc import Sequence
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient

from stream.faults import BrokerFault
from stream.settings import Settings

TRANSACTION_TIMEOUT_MS: Final = 60_000  # a dead worker's open transaction holds read_committed readers up no longer
LARGEST_REQUEST: Final = 64 * 1024 * 1024  # the broker's limit is the one that counts, and is told by it
FETCH_BYTES: Final = 16 * 1024 * 1024


class PatientClient(KafkaNetClient):  # type: ignore[misc]  # kafka-python has no types
    """The producer's network client, cured of losing a transactional request to a refused connection.

    Without it a restart of the transaction's coordinator left commit_transaction() waiting for ever, also after the coordinator
    was back: await_ready() raises where the sender expects False, and the request is dropped. False makes it ask again.
    """

    def await_ready(self, node_id: Any, timeout_ms: int = 30_000) -> bool:
        """Is there a connection to the node? Called on the producer's sender thread."""
        try:
            return bool(super().await_ready(node_id, timeout_ms=timeout_ms))
        except (KafkaConnectionError, KafkaTimeoutError):
            time.sleep(0.05)  # the sender asks again at once
            return False


def connection(settings: Settings) -> dict[str, Any]:
    """The arguments that every client needs to reach and to log in to the brokers."""
    args: dict[str, Any] = {
        "bootstrap_servers": [broker.strip() for broker in settings.brokers.split(",") if broker.strip()],
        "security_protocol": settings.security_protocol.value,
        "bootstrap_timeout_ms": int(settings.connect_timeout_s * 1000),
        "reconnect_backoff_max_ms": 2_000,  # the default of 30 s makes recovery of a broker slow
    }
    if "SSL" in settings.security_protocol.value:
        args |= {
            "ssl_cafile": settings.ssl_ca_file or None,
            "ssl_certfile": settings.ssl_cert_file or None,
            "ssl_keyfile": settings.ssl_key_file or None,
            "ssl_password": settings.ssl_key_password or None,
        }
    if "SASL" in settings.security_protocol.value:
        args |= {
            "sasl_mechanism": settings.sasl_mechanism.value,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password,
        }
    return args


def group_consumer(settings: Settings) -> KafkaConsumer:
    """A member of the group that reads from the earliest record not committed. Raises BrokerFault."""
    static = {"group_instance_id": settings.instance_id} if settings.instance_id else {}
    return _made(
        KafkaConsumer,
        settings,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        partition_assignment_strategy=[CooperativeStickyAssignor],
        max_poll_records=settings.batch_records,
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=int(min(3.0, settings.session_timeout_s / 3) * 1000),
        max_poll_interval_ms=int(max(300.0, settings.watchdog_s * 2) * 1000),
        fetch_max_bytes=FETCH_BYTES,
        max_partition_fetch_bytes=FETCH_BYTES // 4,
        receive_message_max_bytes=256 * 1024 * 1024,
        allow_auto_create_topics=False,
        metrics_enabled=False,
        **static,
    )


def free_consumer(settings: Settings, **more: Any) -> KafkaConsumer:
    """A consumer outside any group, which commits nothing, for watching and replaying. Raises BrokerFault."""
    return _made(
        KafkaConsumer,
        settings,
        enable_auto_commit=False,
        isolation_level="read_committed",
        allow_auto_create_topics=False,
        receive_message_max_bytes=256 * 1024 * 1024,
        metrics_enabled=False,
        **more,
    )


def transactional_producer(settings: Settings, transactional_id: str) -> KafkaProducer:
    """An idempotent producer that has fenced every earlier one of this id. Raises BrokerFault."""
    producer = _made(
        KafkaProducer,
        settings,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
        **PRODUCER,
    )
    try:
        producer.init_transactions()
    except KafkaError as fault:
        producer.close(timeout=0)
        raise BrokerFault(
            f"{settings.brokers}: no transactions for id '{transactional_id}': {fault!r}; "
            f"the user needs Write and Describe on that transactional id"
        ) from fault
    return producer


def plain_producer(settings: Settings) -> KafkaProducer:
    """An idempotent producer without transactions. Raises BrokerFault."""
    return _made(KafkaProducer, settings, **PRODUCER)


def admin(settings: Settings) -> KafkaAdminClient:
    """An admin client. Raises BrokerFault."""
    return _made(KafkaAdminClient, settings)


def offsets_behind(consumer: KafkaConsumer) -> Sequence[tuple[str, int, int]]:
    """(topic, partition, records not yet taken) of each partition held, as far as the last fetch told."""
    behind = []
    for partition in consumer.assignment():
        end = consumer.highwater(partition)
        if end is not None:
            behind.append(
                (
                    partition.topic,
                    partition.partition,
                    max(0, end - consumer.position(partition, timeout_ms=1000)),
                )
            )
    return sorted(behind)


PRODUCER: Final[dict[str, Any]] = {
    "acks": "all",
    # a transaction begun right behind another is often refused at first, and kafka-python then sleeps this long: 100 ms by default
    "retry_backoff_ms": 20,
    "linger_ms": 5,  # with 0 nearly every record travels alone
    "batch_size": 256 * 1024,
    "max_request_size": LARGEST_REQUEST,
    "compression_type": "lz4",
    "max_block_ms": 30_000,
    "delivery_timeout_ms": 60_000,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
    "kafka_client": PatientClient,
    "reconnect_backoff_max_ms": 1_000,
}


def _made(kind: Any, settings: Settings, **args: Any) -> Any:
    try:
        return kind(**connection(settings) | args)
    except (KafkaError, OSError, ValueError) as fault:
        raise BrokerFault(
            f"{settings.brokers}: {type(fault).__name__}: {fault}; is NEWSALERT_BROKERS right, the broker up, and "
            f"NEWSALERT_SECURITY_PROTOCOL ({settings.security_protocol}) the one it speaks?"
        ) from fault
