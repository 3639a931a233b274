"""Service: a worker with its port, its watchdog and its signals, from start to stop."""

import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Final

from stream.kafka_io.sink import KafkaSink
from stream.kafka_io.source import KafkaSource
from stream.metrics import Metrics, serve_http
from stream.model import Model
from stream.settings import Settings
from stream.watchdog import Watchdog
from stream.worker import RefusalBudget, Worker

log: Final = logging.getLogger("newsalert")


@dataclass(slots=True)
class Service:
    """A worker and what surrounds it; `stop` may be called from a signal handler."""

    worker: Worker
    source: KafkaSource
    sink: KafkaSink
    watchdog: Watchdog
    http_port: int
    close_http: Callable[[], None]

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
    metrics, watchdog = Metrics(model.card), Watchdog(settings.watchdog_s)
    sink, source = KafkaSink(settings), KafkaSource(settings)
    budget = RefusalBudget(settings.refusal_run, settings.refusal_share)
    worker = Worker(source, sink, model, settings, metrics, budget, watchdog.beat)
    server = serve_http(
        metrics,
        settings.http_host,
        settings.http_port,
        alive=lambda: None if watchdog.alive else "no progress: the watchdog is about to end the process",
        ready=lambda: None if source.joined else "not ready: the consumer group has given this worker no share yet",
    )
    log.info(
        "model %s %s; group %s; http://%s:%d/metrics",
        model.card.name,
        model.card.version,
        settings.group,
        settings.http_host,
        server.server_port,
    )

    def close_http() -> None:
        server.shutdown()
        server.server_close()

    return Service(worker, source, sink, watchdog, server.server_port, close_http)


def stop_on_signals(service: Service) -> None:
    """SIGTERM and SIGINT finish the batch in hand; a second one of them ends the process as it would have."""

    def stop(number: int, _frame: FrameType | None) -> None:
        log.info("%s: finishing the batch in hand", signal.Signals(number).name)
        signal.signal(number, signal.SIG_DFL)
        service.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
