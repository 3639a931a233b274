"""Service: one worker or several with their port, their watchdogs and their signals, from start to stop."""

import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Final
from wsgiref.simple_server import WSGIServer

from stream.crew import Crew, Tell
from stream.kafka_io.sink import KafkaSink, unique_name
from stream.kafka_io.source import KafkaSource
from stream.metrics import Metrics, Shelf, forget_held, serve_http, summed
from stream.model import Model
from stream.settings import Settings
from stream.watchdog import Watchdog
from stream.worker import RefusalBudget, Worker

log: Final = logging.getLogger("newsalert")

Work = Callable[[int, Metrics, Tell], None]  # what the worker of this number does until it is told to stop
Duty = Callable[[int, Metrics, Tell], int]  # the same with its faults told and turned into an exit status


@dataclass(slots=True)
class Service:
    """A worker and what surrounds it; `stop` may be called from a signal handler."""

    worker: Worker
    source: KafkaSource
    sink: KafkaSink
    watchdog: Watchdog
    http_port: int = 0
    close_http: Callable[[], None] = lambda: None

    def stop(self) -> None:
        """Finish the batch in hand, commit it, leave the group."""
        self.worker.stopping = True

    def run(self) -> None:
        """Until told to stop. Raises what only an operator can mend: BrokerFault, BudgetSpent, Postponed."""
        self.watchdog.start()
        try:
            self.worker.run()
        finally:
            self.watchdog.beat("close")
            self.close_http()
            self.source.close()
            self.sink.close()
            self.watchdog.stop()


def start(settings: Settings, model: Model) -> Service:
    """Connects and listens. Raises BrokerFault, and OSError where the HTTP port is taken."""
    metrics = Metrics(model.card)
    service = _connected(settings, model, metrics)
    watchdog, source = service.watchdog, service.source
    server = serve_http(
        metrics.registry,
        settings.http_host,
        settings.http_port,
        alive=lambda: None if watchdog.alive else "no progress: the watchdog is about to end the process",
        ready=lambda: None if source.joined else "not ready: the consumer group has given this worker no share yet",
    )
    _say_where(settings, model, server.server_port)
    service.http_port, service.close_http = server.server_port, lambda: _closed(server)
    return service


def lead(settings: Settings, model: Model, duty: Duty) -> int:
    """`settings.workers` processes that do `duty`, and one port for all of them, until SIGTERM; the exit status.

    Raises OSError where the HTTP port is taken.
    """
    with TemporaryDirectory(prefix="newsalert-metrics-") as name:
        folder = Path(name)
        metrics = Metrics(model.card, Shelf(folder, "parent"))  # all labels are there before the first worker is

        def begin(number: int, tell: Tell) -> int:
            server.socket.close()  # or the port would be taken for as long as this process lives
            return duty(number, Metrics(model.card, _shelf(folder, number)), tell)

        crew = Crew(
            settings.workers,
            begin,
            settings.watchdog_s,
            gone=lambda number: forget_held(_shelf(folder, number)),
            again=lambda _number: metrics.restarted(),
        )
        server = serve_http(
            summed(folder), settings.http_host, settings.http_port, crew.alive, crew.ready, crew.forking
        )
        _say_where(settings, model, server.server_port)
        try:
            return crew.run()
        finally:
            _closed(server)


def member(settings: Settings, model: Model) -> Work:
    """What each of several workers does. They have one name, which numbers tell apart, for as long as their parent lives.

    So a worker that is started again fences what its predecessor left open, also where no NEWSALERT_INSTANCE_ID is set.
    """
    name = settings.instance_id or unique_name()

    def work(number: int, metrics: Metrics, tell: Tell) -> None:
        own = replace(settings, instance_id=f"{name}-{number}" if settings.instance_id else "")
        service = _connected(own, model, metrics, f"{name}-{number}", tell)
        stop_on_signals(service, [signal.SIGTERM])
        service.run()

    return work


def _connected(
    settings: Settings,
    model: Model,
    metrics: Metrics,
    name: str | None = None,
    tell: Tell = lambda _joined: None,
) -> Service:
    watchdog, sink, source = Watchdog(settings.watchdog_s), KafkaSink(settings, name), KafkaSource(settings)
    budget = RefusalBudget(settings.refusal_run, settings.refusal_share)

    def beat(stage: str) -> None:
        watchdog.beat(stage)
        tell(source.joined)

    return Service(Worker(source, sink, model, settings, metrics, budget, beat), source, sink, watchdog)


def _shelf(folder: Path, number: int) -> Shelf:
    return Shelf(folder, f"worker-{number}")


def _say_where(settings: Settings, model: Model, port: int) -> None:
    log.info(
        "model %s %s; group %s; http://%s:%d/metrics",
        model.card.name,
        model.card.version,
        settings.group,
        settings.http_host,
        port,
    )


def _closed(server: WSGIServer) -> None:
    server.shutdown()
    server.server_close()


def stop_on_signals(service: Service, numbers: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> None:
    """SIGTERM and SIGINT finish the batch in hand; a second one of them ends the process as it would have."""

    def stop(number: int, _frame: FrameType | None) -> None:
        log.info("%s: finishing the batch in hand", signal.Signals(number).name)
        signal.signal(number, signal.SIG_DFL)
        service.stop()

    for number in numbers:
        signal.signal(number, stop)
