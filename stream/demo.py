"""Demo: the main job on one machine: embedded broker, worker, sample articles, alerts as they come."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from rich.console import Console

from stream.alert import Alert
from stream.article import Article, Status, parse_article
from stream.broker import dies_with_parent, embedded_broker
from stream.files import Document, documents
from stream.home import SHIPPED
from stream.kafka_io.publish import publish
from stream.kafka_io.topics import create_topics
from stream.kafka_io.watch import watch
from stream.model import load_model
from stream.settings import Settings, variable
from stream.show import shown
from stream.verdict import Verdict
from stream.worker import Record

SAMPLES: Final = Path(__file__).parent / "samples"
PATIENCE_S: Final = 60.0


class DemoFailed(Exception):
    """The demo did not come to its end; shows what the worker said."""


@dataclass(slots=True)
class Tally:
    """What was seen so far, and what is expected."""

    expected: int
    cancels: int
    verdicts: int = 0
    alerts: int = 0
    refused: int = 0
    due: int = 0  # alerts that the verdicts seen announce
    by_urgency: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Has everything published come out at the other end?"""
        return self.verdicts + self.refused >= self.expected and self.alerts >= self.due + self.cancels


def sample_documents() -> list[Document]:
    """The sample articles, in the order in which they are published."""
    files = sorted(str(file) for file in SAMPLES.iterdir() if file.suffix in {".jsonl", ".txt"})
    return list(documents(files))


def run_demo(console: Console, *, rate: float, stay: bool) -> None:
    """Runs until every sample came out (`stay`: until Ctrl-C). Raises DemoFailed, BrokerFault, BadModel."""
    start = time.monotonic()
    model = load_model(SHIPPED)
    with embedded_broker() as address, TemporaryDirectory(prefix="newsalert-demo-") as folder:
        settings = replace(Settings(), brokers=address, instance_id="demo", http_port=0, group="demo")
        create_topics(settings)
        console.print(f"[dim]embedded broker (noida-db) at {address}; model {model.card.name} {model.card.version}")
        with _worker(settings, Path(folder)) as complaint:
            samples = sample_documents()
            console.print(f"[dim]publishing {len(samples)} sample articles (written for this demo, not news)\n")
            tally = Tally(len(samples), sum(_is_kill(sample) for sample in samples))
            threading.Thread(target=publish, args=(samples, settings), kwargs={"rate": rate}, daemon=True).start()
            _follow(settings, tally, console, complaint)
            _summary(console, tally, time.monotonic() - start)
            if stay:
                console.print(
                    f"Your turn: [bold]newsalert publish --brokers {address} FILE[/]   (Ctrl-C ends the demo)\n"
                )
                _follow(settings, replace(tally, expected=sys.maxsize), console, complaint, fresh=True)


def _follow(
    settings: Settings, tally: Tally, console: Console, complaint: Callable[[], str | None], *, fresh: bool = False
) -> None:
    topics = [settings.verdicts_topic, settings.alerts_topic, settings.dead_topic]
    last = time.monotonic()

    def ended() -> bool:
        if (said := complaint()) is not None:
            raise DemoFailed(f"the worker ended:\n{said}")
        if not fresh and time.monotonic() - last > PATIENCE_S:
            raise DemoFailed(f"nothing came out for {PATIENCE_S:.0f} s; please report this")
        return tally.complete

    for record in watch(topics, settings, from_start=not fresh, ended=ended):
        last = time.monotonic()
        _take(record, settings, tally, console)


def _take(record: Record, settings: Settings, tally: Tally, console: Console) -> None:
    if record.topic == settings.dead_topic:
        tally.refused += 1
        error = dict(record.headers)["error"].decode()
        console.print(f"[dim]kept in {settings.dead_topic}: {error}\n", highlight=False)
    elif record.topic == settings.verdicts_topic:
        tally.verdicts += 1
        tally.due += msgspec.json.decode(record.value or b"", type=Verdict).alert
    else:
        alert = msgspec.json.decode(record.value or b"", type=Alert)
        tally.alerts += 1
        level = alert.urgency.level.value
        tally.by_urgency[level] = tally.by_urgency.get(level, 0) + 1
        console.print(shown(alert))


def _summary(console: Console, tally: Tally, seconds: float) -> None:
    levels = ", ".join(f"{count} {level}" for level, count in sorted(tally.by_urgency.items()))
    console.print(
        f"[bold]{tally.expected} articles in, {tally.verdicts} verdicts, {tally.alerts} alerts[/] ({levels}), "
        f"{tally.refused} refused and kept, {seconds:.0f} s in all",
        highlight=False,
    )


def _is_kill(document: Document) -> bool:
    article = parse_article(document.value, document.content_type)
    return isinstance(article, Article) and article.status is Status.CANCELED


@contextmanager
def _worker(settings: Settings, folder: Path) -> Iterator[Callable[[], str | None]]:
    """A worker process; the callable gives its last words once it has ended."""
    names = ("brokers", "instance_id", "http_port", "group")
    environ = {variable(name): str(getattr(settings, name)) for name in names}
    words = folder / "worker.log"
    with words.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603  (our own program)
            dies_with_parent([sys.executable, "-m", "stream", "run"]),
            env={name: value for name, value in os.environ.items() if not name.startswith("NEWSALERT_")} | environ,
            stderr=stream,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends the worker in good order
        )
    try:
        yield lambda: words.read_text(errors="replace")[-2000:] if process.poll() is not None else None
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
