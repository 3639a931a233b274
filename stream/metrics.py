"""Metrics: what Prometheus sees, and the HTTP port it sees it on. The only file that imports prometheus_client."""

import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, values
from prometheus_client.exposition import make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from stream.article import Reason, Refused
from stream.pipeline import Alerted, Outcome
from stream.urgency import LEVELS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from stream.model import Card
    from stream.worker import Record

OUTCOMES: Final = ("alert", "quiet", "refused")
FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLOW: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)


class Shelf(NamedTuple):
    """Where a process keeps its metrics for another to sum: files of `folder`, told apart by `name` (without "_").

    The name is that of a worker's place, not a process id: who takes the place over goes on with the counts it finds.
    """

    folder: Path
    name: str


class Metrics:
    """All of newsalert's metrics on a registry of their own; every label's values are known before the first record.

    With a `shelf` the values are in its files, from then on for every metric that this process makes. The gauges' modes are
    those of a sum: a partition's lag is what its present holder said, the others are the largest.
    """

    def __init__(self, card: "Card", shelf: Shelf | None = None) -> None:
        self.registry, self._shelf = CollectorRegistry(), shelf
        self._held: set[tuple[str, str]] = set()
        if shelf is not None:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shelf.folder)
            values.ValueClass = values.MultiProcessValue(lambda: shelf.name)  # type: ignore[no-untyped-call]
        of: Any = {"registry": self.registry}
        self.articles = Counter("newsalert_articles", "Records taken, by what became of them", ["outcome"], **of)
        self.alerts = Counter("newsalert_alerts", "Alerts sent, by topic and urgency", ["topic", "urgency"], **of)
        self.refused = Counter("newsalert_refused", "Records refused, by reason", ["reason"], **of)
        self.foreign = Counter("newsalert_not_english", "Articles labelled though not in English", **of)
        self.postponed_batches = Counter("newsalert_postponed_batches", "Transactions aborted to be tried again", **of)
        self.seconds = Histogram("newsalert_classification_seconds", "Time to classify a batch", buckets=FAST, **of)
        self.end_to_end = Histogram(
            "newsalert_end_to_end_seconds",
            "From the record's timestamp to its verdict committed",
            buckets=SLOW,
            **of,
        )
        self.batch = Histogram(
            "newsalert_batch_articles",
            "Records in a batch",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
            **of,
        )
        self.restarts = Counter("newsalert_worker_restarts", "Workers started again after they ended unasked", **of)
        self.lag = Gauge(
            "newsalert_consumer_lag_records",
            "Records not yet taken",
            ["topic", "partition"],
            multiprocess_mode="livemostrecent",
            **of,
        )
        of["multiprocess_mode"] = "max"
        self.newest = Gauge("newsalert_last_article_timestamp_seconds", "Timestamp of the latest record taken", **of)
        self.model = Gauge("newsalert_model_info", "The model in use", ["name", "version", "created"], **of)
        for outcome in OUTCOMES:
            self.articles.labels(outcome)
        for topic in card.topics:
            for level in LEVELS[1:]:
                self.alerts.labels(topic.name, level.value)
        for reason in Reason:
            self.refused.labels(reason.value)
        self.model.labels(card.name, card.version, card.created).set(1)

    def classifying(self) -> AbstractContextManager[object]:
        """Times a batch's classification."""
        return self.seconds.time()

    def batch_done(self, records: "Sequence[Record]", outcomes: Sequence[Outcome], now: datetime) -> None:
        """Counts a batch that was committed."""
        if not records:
            return
        self.batch.observe(len(records))
        for record, outcome in zip(records, outcomes, strict=True):
            self._count(outcome)
            self.end_to_end.observe(max(0.0, now.timestamp() - record.timestamp_ms / 1000))
        self.newest.set(max(record.timestamp_ms for record in records) / 1000)

    def postponed(self) -> None:
        """Counts a transaction that was aborted to be tried again."""
        self.postponed_batches.inc()

    def restarted(self) -> None:
        """Counts a worker that was started again."""
        self.restarts.inc()

    def set_lag(self, lag: Iterable[tuple[str, int, int]]) -> None:
        """(topic, partition, records behind) of each partition held; those given up are forgotten."""
        held = {(topic, str(partition)): behind for topic, partition, behind in lag}
        for given_up in self._held - held.keys():
            if self._shelf is None:
                self.lag.remove(*given_up)
            else:  # a file forgets nothing: `summed` leaves out what is not a number
                self.lag.labels(*given_up).set(math.nan)
        for place, behind in held.items():
            self.lag.labels(*place).set(behind)
        self._held = set(held)

    def _count(self, outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            self.articles.labels("refused").inc()
            self.refused.labels(outcome.reason.value).inc()
            return
        self.articles.labels("alert" if isinstance(outcome, Alerted) else "quiet").inc()
        if not outcome.verdict.english:
            self.foreign.inc()
        if isinstance(outcome, Alerted):
            for topic in outcome.alert.topics:
                self.alerts.labels(topic.topic, outcome.alert.urgency.level.value).inc()


class _Sum(Collector):
    """What all shelves of a folder hold together, without the lag of partitions that were given up."""

    def __init__(self, folder: Path) -> None:
        self._all = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        """Reads the files anew."""
        for family in self._all.collect():  # type: ignore[no-untyped-call]
            family.samples = [sample for sample in family.samples if not math.isnan(sample.value)]
            yield family


def summed(folder: Path) -> CollectorRegistry:
    """A registry that gives, at every scrape, the sum of the metrics on all shelves of `folder`."""
    registry = CollectorRegistry()
    registry.register(_Sum(folder))
    return registry


def forget_held(shelf: Shelf) -> None:
    """The process of this shelf is gone and holds no partition any more; its counts stay."""
    mark_process_dead(shelf.name, str(shelf.folder))  # type: ignore[no-untyped-call]


class QuietHandler(WSGIRequestHandler):
    """No line on standard error for every scrape."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Says nothing."""


def serve_http(
    registry: CollectorRegistry,
    host: str,
    port: int,
    alive: Callable[[], str | None],
    ready: Callable[[], str | None],
    answering: AbstractContextManager[object] | None = None,
) -> WSGIServer:
    """/metrics, /healthz and /readyz on a thread; `alive` and `ready` give None, or the sentence that says what is missing.

    Each answer is made inside `answering`. The server's `server_port` is the port taken. Raises OSError where it cannot be had.
    """
    scrape: WSGIApplication = make_wsgi_app(registry)

    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        with answering or nullcontext():
            return answer(environ, start)

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return scrape(environ, start)
        checks = {"/healthz": alive, "/readyz": ready}
        if path not in checks:
            return _answer(start, "404 Not Found", {"error": "there are /metrics, /healthz and /readyz"})
        missing = checks[path]()
        return _answer(
            start, "503 Service Unavailable" if missing else "200 OK", {"ok": not missing, "missing": missing}
        )

    server = make_server(host, port, app, handler_class=QuietHandler)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def _answer(start: "StartResponse", status: str, body: dict[str, object]) -> Iterable[bytes]:
    start(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(body).encode() + b"\n"]
