"""Worker: poll, classify, send, flush, commit; the one place where that order is written."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from stream.alert import CONTENT_TYPE, CapStatus, alert_headers
from stream.article import Reason, Refused
from stream.metrics import Metrics
from stream.model import Model
from stream.pipeline import Alerted, Message, Outcome, classify
from stream.settings import Settings
from stream.verdict import verdict_bytes

log: Final = logging.getLogger("newsalert.worker")
SHARE_WINDOW: Final = 1000  # records over which the share of refusals is taken
ATTEMPTS: Final = 5  # failed transactions in a row before the worker gives up and lets its supervisor look

Headers = list[tuple[str, bytes]]


class Record(NamedTuple):
    """A record of the topic `articles` as the broker gave it; `timestamp_ms` since 1970 UTC."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    fault: str | None = None  # the client could not decode it: its bytes cannot be had


class Outgoing(NamedTuple):
    """A record to send."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of their offsets within each partition; `position` is what a commit of them needs, and
    belongs to the source and sink."""

    records: Sequence[Record]
    position: Any = None


class Source(Protocol):
    """Where batches come from."""

    def poll(self) -> Batch:
        """The next batch, empty where nothing came in a short while."""

    def rewind(self, batch: Batch) -> None:
        """Makes `batch` come again: its transaction was aborted."""

    def lag(self) -> Iterable[tuple[str, int, int]]:
        """(topic, partition, records behind) of each partition held."""


class Sink(Protocol):
    """Where a batch's records go, all or none: one transaction from `begin` to `commit`."""

    def begin(self) -> None:
        """Opens the transaction."""

    def send(self, outgoing: Outgoing) -> None:
        """Hands a record over; waits where too many are unanswered."""

    def flush(self) -> None:
        """Waits until every record sent is acknowledged; raises where one is not."""

    def commit(self, position: Any) -> None:
        """Makes the records and `position` visible, together."""

    def abort(self) -> None:
        """Takes all back since `begin`."""


class Postponed(Exception):
    """The transaction cannot be committed now (the group is sharing out its partitions anew); the batch is to come again."""


class BudgetSpent(Exception):
    """Too many refusals: the fault is likely a deploy or a producer, not single records. Nothing of the batch was committed."""


@dataclass(slots=True)
class RefusalBudget:
    """How many refusals in a row, or which share of the last 1,000 records, is still a matter of single bad records."""

    longest_run: int
    largest_share: float
    run: int = 0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=SHARE_WINDOW))

    def spend(self, outcomes: Sequence[Outcome]) -> None:
        """Counts a batch; raises BudgetSpent."""
        for outcome in outcomes:
            refused = isinstance(outcome, Refused)
            self.run = self.run + 1 if refused else 0
            self.recent.append(refused)
            if refused and self.longest_run and self.run >= self.longest_run:
                raise BudgetSpent(
                    f"{self.run} records in a row refused, last: {outcome.detail}. "  # type: ignore[union-attr]
                    f"See what the producer sends; then start again, with NEWSALERT_REFUSAL_RUN=0 to let them pass"
                )
        if len(self.recent) == SHARE_WINDOW and sum(self.recent) > self.largest_share * SHARE_WINDOW:
            raise BudgetSpent(
                f"{sum(self.recent)} of the last {SHARE_WINDOW} records refused. "
                f"See what the producer sends; then start again, with NEWSALERT_REFUSAL_SHARE=1 to let them pass"
            )


def run_once(
    source: Source,
    sink: Sink,
    judge: Callable[[Sequence[Record]], list[Outcome]],
    settings: Settings,
    tell: Callable[[str], None],
) -> tuple[Batch, list[Outcome]]:
    """One batch, in the order that makes it exactly once: what fails before `commit` has happened to nobody.

    `tell` hears each stage before it begins. Raises Postponed after the batch was taken back, to come again.
    """
    tell("poll")
    batch = source.poll()
    if not batch.records:
        return batch, []
    tell("classify")
    outcomes = judge(batch.records)
    try:
        tell("send")
        sink.begin()
        for outgoing in outgoing_records(batch.records, outcomes, settings):
            sink.send(outgoing)
        tell("flush")
        sink.flush()
        tell("commit")
        sink.commit(batch.position)
    except Postponed:
        tell("abort")
        sink.abort()
        source.rewind(batch)
        raise
    return batch, outcomes


@dataclass(slots=True)
class Worker:
    """Runs batches until `stopping` is set. `clock` gives the time of classification; `tell` hears each stage."""

    source: Source
    sink: Sink
    model: Model
    settings: Settings
    metrics: Metrics
    budget: RefusalBudget
    tell: Callable[[str], None] = lambda _stage: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stopping: bool = False
    postponed: int = 0

    def run(self) -> None:
        """Returns when told to stop and the batch in hand is committed; raises what only an operator can mend."""
        while not self.stopping:
            self.step()

    def step(self) -> None:
        """One batch; a postponed one comes again, but not for ever."""
        try:
            batch, outcomes = run_once(self.source, self.sink, self._judge, self.settings, self.tell)
        except Postponed as reason:
            self.postponed += 1
            self.metrics.postponed()
            log.warning("batch postponed, %d in a row: %s", self.postponed, reason)
            if self.postponed >= ATTEMPTS:
                raise
            return
        self.postponed = 0 if batch.records else self.postponed
        self.metrics.batch_done(batch.records, outcomes, self.clock())
        self.metrics.set_lag(self.source.lag())

    def _judge(self, records: Sequence[Record]) -> list[Outcome]:
        with self.metrics.classifying():
            outcomes = _with_faults(
                records,
                classify(
                    [message(record) for record in records],
                    self.model,
                    self.clock(),
                    max_bytes=self.settings.max_article_bytes,
                ),
            )
        self.budget.spend(outcomes)
        return outcomes


def _with_faults(records: Sequence[Record], outcomes: list[Outcome]) -> list[Outcome]:
    return [
        outcome
        if record.fault is None
        else Refused(
            Reason.CORRUPT_RECORD,
            f"The record could not be decoded ({record.fault}); see its source_offset in source_topic with a console consumer.",
        )
        for record, outcome in zip(records, outcomes, strict=True)
    ]


def message(record: Record) -> Message:
    """The record as the pipeline takes it; a record without a value is one with an empty value."""
    headers = dict(record.headers)
    cap_status = headers.get("cap_status", b"").decode("ascii", "replace")
    content_type = headers.get("content-type")
    return Message(
        record.value or b"",
        datetime.fromtimestamp(max(record.timestamp_ms, 0) / 1000, UTC),
        content_type.decode("ascii", "replace") if content_type is not None else None,
        CapStatus(cap_status) if cap_status in set(CapStatus) else CapStatus.ACTUAL,
    )


def outgoing_records(records: Sequence[Record], outcomes: Sequence[Outcome], settings: Settings) -> Iterator[Outgoing]:
    """What a batch sends, in its order: dead letters, verdicts, alerts."""
    for record, outcome in zip(records, outcomes, strict=True):
        if isinstance(outcome, Refused):
            yield dead_letter(record, outcome, settings.dead_topic)
            continue
        verdict = outcome.verdict
        yield Outgoing(
            settings.verdicts_topic,
            verdict.article.id.encode(),
            verdict_bytes(verdict),
            [("content-type", CONTENT_TYPE.encode())],
        )
        if isinstance(outcome, Alerted):
            headers = alert_headers(outcome.alert, settings.event_source, dict(record.headers).get("traceparent"))
            yield Outgoing(
                settings.alerts_topic, outcome.alert.story.id.encode(), verdict_bytes(outcome.alert), headers
            )


def dead_letter(record: Record, refused: Refused, topic: str) -> Outgoing:
    """The refused record, key and value untouched, its own headers kept, with where it came from and why it is here."""
    told = {
        "source_topic": record.topic,
        "source_partition": str(record.partition),
        "source_offset": str(record.offset),
        "source_timestamp": str(record.timestamp_ms),
        "reason": refused.reason.value,
        "error": refused.detail,
    }
    own = [(name, value) for name, value in record.headers if name not in told]
    value = record.value
    if record.key is None and value is None:
        value, told["source_value"] = (
            b"",
            "null",
        )  # Kafka has no record with neither, and this one must not be lost
    return Outgoing(topic, record.key, value, own + [(name, text.encode()) for name, text in told.items()])
