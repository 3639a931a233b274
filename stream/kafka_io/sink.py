"""Sink: one Kafka transaction for each batch, with the batch's offsets inside it."""

import logging
import socket
import uuid
from collections import deque
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    CommitFailedError,
    FencedInstanceIdError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFencedError,
    RebalanceInProgressError,
)

from stream.faults import BrokerFault
from stream.kafka_io.clients import transactional_producer
from stream.settings import Settings
from stream.worker import Outgoing, Postponed

log: Final = logging.getLogger("newsalert.sink")
ANSWER_S: Final = 60.0
HOPELESS: Final = (
    AuthorizationError,
    FencedInstanceIdError,
    ProducerFencedError,
    MessageSizeTooLargeError,
)
CLOSE_S: Final = 5.0


def unique_name() -> str:
    """A name for who was given none by NEWSALERT_INSTANCE_ID; never the same again."""
    return f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"


class KafkaSink:
    """Sends a batch in one transaction. Raises Postponed for what another try can mend, BrokerFault for what it cannot.

    Its transactional id is the group's name with `name` behind it; a second sink of the same id fences the first.
    """

    def __init__(self, settings: Settings, name: str | None = None) -> None:
        self._settings = settings
        self._id = f"{settings.group}-{name or settings.instance_id or unique_name()}"
        self._producer: KafkaProducer = transactional_producer(settings, self._id)
        self._unanswered: deque[tuple[Any, Outgoing]] = deque()

    def begin(self) -> None:
        """Opens the transaction."""
        self._unanswered.clear()
        self._guarded(self._producer.begin_transaction)

    def send(self, outgoing: Outgoing) -> None:
        """Hands a record over. With `in_flight` sends unanswered it waits for the oldest: kafka-python itself has no bound."""
        if len(self._unanswered) >= self._settings.in_flight:
            self._answer()
        future = self._guarded(
            lambda: self._producer.send(outgoing.topic, outgoing.value, outgoing.key, outgoing.headers),
            outgoing,
        )
        self._unanswered.append((future, outgoing))

    def flush(self) -> None:
        """Every send answered. flush() of kafka-python is silent on failures: each future is asked."""
        self._guarded(lambda: self._producer.flush(timeout=ANSWER_S))
        while self._unanswered:
            self._answer()

    def commit(self, position: Any) -> None:
        """Offsets into the transaction, then commit. These calls wait without a limit: the watchdog has one."""
        if position is not None:
            offsets, member = position
            self._guarded(lambda: self._producer.send_offsets_to_transaction(offsets, member))
        self._guarded(self._producer.commit_transaction)

    def abort(self) -> None:
        """Takes the transaction back; a producer that cannot is replaced by a new one, which aborts it on its way."""
        self._unanswered.clear()
        try:
            self._producer.abort_transaction()
        except KafkaError as fault:
            log.warning("producer replaced, it could not abort: %r", fault)
            self._close(0)
            self._producer = transactional_producer(self._settings, self._id)

    def close(self) -> None:
        """Lets go of the producer; an open transaction is aborted by the broker when its time is over."""
        self._close(CLOSE_S)

    def _close(self, timeout_s: float) -> None:
        try:
            self._producer.close(timeout=timeout_s)
        except KafkaError as fault:  # close() flushes first, and says so when it cannot
            log.warning("producer not closed in good order: %r", fault)

    def _answer(self) -> None:
        future, outgoing = self._unanswered.popleft()
        self._guarded(lambda: future.get(timeout=ANSWER_S), outgoing)

    def _guarded(self, call: Any, outgoing: Outgoing | None = None) -> Any:
        try:
            return call()
        except HOPELESS as fault:
            raise BrokerFault(_advice(fault, outgoing, self._id)) from fault
        except (CommitFailedError, RebalanceInProgressError) as fault:
            raise Postponed(f"the group is sharing out its partitions anew ({fault})") from fault
        except KafkaError as fault:
            if isinstance(cause := fault.args[-1] if fault.args else None, HOPELESS):
                raise BrokerFault(_advice(cause, outgoing, self._id)) from fault
            raise Postponed(f"{type(fault).__name__}: {fault}") from fault


def _advice(fault: Exception, outgoing: Outgoing | None, transactional_id: str) -> str:
    where = f"topic '{outgoing.topic}'" if outgoing else f"transactional id '{transactional_id}'"
    if isinstance(fault, MessageSizeTooLargeError):
        return f"{where}: the record is larger than the topic takes ({fault}); raise max.message.bytes of that topic"
    if isinstance(fault, (FencedInstanceIdError, ProducerFencedError)):
        return f"{where}: another worker runs under the same NEWSALERT_INSTANCE_ID; give each its own ({fault})"
    return f"{where}: not allowed: {fault!r}; 'newsalert check' lists the permissions needed"
