"""The commands that run online: thin shells over plain functions."""

import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click
import msgspec
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from stream.alert import Alert, CapStatus
from stream.article import Reason, Refused, parse_article
from stream.explain import Explanation, explanations
from stream.faults import EXIT_BUDGET, EXIT_FAULT, EXIT_SETTINGS, EXIT_TRY_AGAIN, BrokerFault
from stream.files import BadFile, Document, documents
from stream.home import default_home, find_model, promote, read_pointer, roll_back, versions
from stream.model import BadModel, Model
from stream.pipeline import Alerted, Message, Outcome, classify
from stream.schema import RECORDS, schema_text
from stream.settings import BadSettings, Settings, settings_table
from stream.show import shown, shown_quiet
from stream.verdict import verdict_bytes
from stream.worker import BudgetSpent, Postponed

if TYPE_CHECKING:
    from stream.crew import Tell
    from stream.metrics import Metrics
    from stream.service import Duty, Work

TOGETHER: Final = 256
EXPECTED: Final = (BadSettings, BudgetSpent, BadFile, BadModel, BrokerFault, Postponed)
err: Final = Console(stderr=True, soft_wrap=True, highlight=False)

brokers_option: Final = click.option("--brokers", help="HOST:PORT,... in place of NEWSALERT_BROKERS")
model_option: Final = click.option("--model", "named", help="model folder or version, in place of the champion")
home_option: Final = click.option(
    "--home", type=click.Path(path_type=Path), help="model home, in place of NEWSALERT_MODEL_HOME"
)


def program(commands: Sequence[click.Command]) -> NoReturn:
    """Runs the command that the arguments name; what can be expected to go wrong ends with a sentence and a status."""
    group = click.Group(name="newsalert", help=__doc__, commands={str(one.name): one for one in commands})
    group.help = "Reads a stream of news, labels each article by topic and urgency, and publishes alerts."
    group = click.version_option(package_name="newsalert")(group)
    try:
        group(prog_name="newsalert")
    except EXPECTED as fault:
        _end(fault, status_of(fault))
    except BrokenPipeError:  # `newsalert classify ... | head` is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def status_of(fault: Exception) -> int:
    """The exit status for one of the faults that can be expected."""
    return {BadSettings: EXIT_SETTINGS, BudgetSpent: EXIT_BUDGET}.get(type(fault), EXIT_FAULT)


def _end(fault: Exception, status: int) -> NoReturn:
    _tell(fault)
    sys.exit(status)


def _tell(fault: Exception) -> None:
    err.print(f"newsalert: {fault}", markup=False)


def settings_from(brokers: str | None = None) -> Settings:
    """The environment's settings, `brokers` in place of theirs where given. Raises BadSettings."""
    settings = Settings.from_env(os.environ)
    logging.basicConfig(level=settings.log_level.value, force=True)
    _log_as("")
    logging.getLogger("kafka").setLevel(max(logging.WARNING, logging.getLogger().level))
    return replace(settings, brokers=brokers) if brokers else settings


def _log_as(who: str) -> None:
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {who}%(name)s: %(message)s"))


def home_from(settings: Settings) -> Path:
    """The model home that the settings name, else the user's."""
    return Path(settings.model_home) if settings.model_home else default_home(os.environ)


@click.command()
@brokers_option
@model_option
@click.option(
    "--workers", type=click.IntRange(1, 256), help="processes that share the work, in place of NEWSALERT_WORKERS"
)
def run(brokers: str | None, named: str | None, workers: int | None) -> None:
    """Consume articles and publish verdicts and alerts, until SIGTERM."""
    from stream.service import lead, member, start, stop_on_signals  # noqa: PLC0415  (kafka is slow to import)

    settings = settings_from(brokers)
    model = find_model(home_from(settings), named or settings.model or None)
    if workers is not None:
        settings = replace(settings, workers=workers)
    if settings.workers > 1:
        sys.exit(lead(settings, model, _as_one_of_many(member(settings, model))))
    service = start(settings, model)
    stop_on_signals(service)
    service.run()


def _as_one_of_many(work: "Work") -> "Duty":
    """`work` in a process of its own: its log lines say whose they are, its faults become an exit status.

    A batch that was postponed too often ends a lone worker for its supervisor to look; here the supervisor is the parent, and a
    fresh process with a fresh producer is what it can give.
    """

    def duty(number: int, metrics: "Metrics", tell: "Tell") -> int:
        _log_as(f"worker {number} ")
        try:
            work(number, metrics, tell)
        except EXPECTED as fault:
            _tell(fault)
            return EXIT_TRY_AGAIN if isinstance(fault, Postponed) else status_of(fault)
        return 0

    return duty


@click.command(name="classify")
@click.argument("files", nargs=-1, required=True)
@model_option
@click.option(
    "--json/--pretty", "as_json", default=None, help="one JSON record a line (default in a pipe), or readable text"
)
@click.option(
    "--explain",
    "reasons",
    is_flag=True,
    help="with the words for and against each topic and urgency, and top sentences",
)
def classify_files(files: tuple[str, ...], named: str | None, as_json: bool | None, reasons: bool) -> None:
    """Label the articles in FILES ('-' is standard input): a verdict a line, in input order, refused ones too.

    An article worth an alert gets its whole alert, with evidence. Exit status 0 whatever the labels are.
    With --explain a record has one more field: explanation, the model's log odds taken apart to the last word.
    """
    settings = settings_from()
    model = find_model(home_from(settings), named or settings.model or None)
    plain = not sys.stdout.isatty() if as_json is None else as_json
    console = Console(soft_wrap=True, highlight=False)
    with _progress(files) as advance:
        for document, outcome in _outcomes(documents(files), model, settings):
            explained = _explained(document, model, settings) if reasons else None
            if plain:
                sys.stdout.buffer.write(_line(document, outcome, explained))
            else:
                console.print(_pretty(document, outcome, explained))
            advance()


def _outcomes(found: Iterator[Document], model: Model, settings: Settings) -> Iterator[tuple[Document, Outcome]]:
    while together := list(islice(found, TOGETHER)):
        now = datetime.now(UTC)
        messages = [Message(document.value, now, document.content_type) for document in together]
        yield from zip(together, classify(messages, model, now, max_bytes=settings.max_article_bytes), strict=True)


def _explained(document: Document, model: Model, settings: Settings) -> dict[str, Explanation] | None:
    """None for what is refused: there is nothing to explain but the refusal itself."""
    article = parse_article(document.value, document.content_type, max_bytes=settings.max_article_bytes)
    return None if isinstance(article, Refused) else explanations(model, article)


def _line(document: Document, outcome: Outcome, explained: dict[str, Explanation] | None) -> bytes:
    if isinstance(outcome, Refused):
        told = {"refused": {"reason": outcome.reason, "error": outcome.detail, "place": document.place}}
        return msgspec.json.encode(told) + b"\n"
    record = outcome.alert if isinstance(outcome, Alerted) else outcome.verdict
    if explained is None:
        return verdict_bytes(record) + b"\n"
    return verdict_bytes(msgspec.structs.asdict(record) | {"explanation": explained}) + b"\n"


def _pretty(document: Document, outcome: Outcome, explained: dict[str, Explanation] | None) -> RenderableType:
    if isinstance(outcome, Refused):
        return Text.assemble(("refused", "red"), f" {document.place}: {outcome.detail}\n")
    if isinstance(outcome, Alerted):
        return shown(outcome.alert, explained)
    return shown_quiet(outcome.verdict, explained)


@click.command(name="publish")
@click.argument("files", nargs=-1, required=True)
@brokers_option
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="articles a second at most")
@click.option("--exercise", is_flag=True, help="mark them: their alerts carry CAP status Exercise and must move nobody")
def publish_files(files: tuple[str, ...], brokers: str | None, rate: float | None, exercise: bool) -> None:
    """Send the articles in FILES to the topic of articles, as they are."""
    from stream.kafka_io.publish import publish  # noqa: PLC0415

    status, start = CapStatus.EXERCISE if exercise else CapStatus.ACTUAL, time.monotonic()
    with _progress(files) as advance:
        count = publish(
            documents(files), settings_from(brokers), rate=rate, cap_status=status, sent=lambda _document: advance()
        )
    err.print(f"{count:,} articles sent in {time.monotonic() - start:.1f} s")


@click.command(name="watch")
@brokers_option
@click.option("--from-start", is_flag=True, help="every alert the topic still holds, then those to come")
@click.option("--last", type=click.IntRange(min=0), default=0, help="the last N of each partition, then those to come")
@click.option("--count", type=click.IntRange(min=1), help="end after N alerts")
@click.option("--json", "as_json", is_flag=True, help="the records as they are, one a line")
def watch_alerts(brokers: str | None, from_start: bool, last: int, count: int | None, as_json: bool) -> None:
    """Show alerts as they come, until Ctrl-C."""
    from stream.kafka_io.watch import watch  # noqa: PLC0415

    settings, console = settings_from(brokers), Console(soft_wrap=True, highlight=False)
    records = watch([settings.alerts_topic], settings, from_start=from_start, last=last)
    for record in islice(records, count):
        if as_json:
            click.echo(record.value)
            continue
        try:
            console.print(shown(msgspec.json.decode(record.value or b"", type=Alert)))
        except msgspec.MsgspecError as fault:
            err.print(f"{record.topic}/{record.partition}/{record.offset}: not an alert of this version: {fault}")


@click.command(name="replay")
@brokers_option
@click.option("--list", "listing", is_flag=True, help="show the dead letters, copy none")
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice([*Reason]),
    help="those refused for this reason; may be repeated",
)
@click.option("--all", "everything", is_flag=True, help="whatever the reason")
@click.option(
    "--offset", "offsets", multiple=True, metavar="PARTITION:OFFSET", help="this one, even if it was copied before"
)
def replay_letters(
    brokers: str | None, listing: bool, reasons: tuple[str, ...], everything: bool, offsets: tuple[str, ...]
) -> None:
    """Copy dead letters back to the topic they came from.

    They stay in the topic of dead letters. By reason each is copied once, however often this is run or stopped half-way.
    """
    from stream.kafka_io import replay  # noqa: PLC0415

    if sum((listing, bool(reasons), everything, bool(offsets))) != 1:
        raise click.UsageError("give one of --list, --reason, --all, --offset")
    settings, places = settings_from(brokers), [_place(text) for text in offsets]
    if listing:
        for letter in replay.letters(settings):
            click.echo(f"{letter.partition}:{letter.offset}\t{letter.reason}\t{letter.source}\t{letter.error}")
        return
    if places:
        err.print(f"{replay.replay_offsets(places, settings)} copied")
        return
    for reason in [*Reason] if everything else [Reason(reason) for reason in reasons]:
        err.print(f"{reason}: {replay.replay_reason(reason, settings, lambda _count: None)} copied")


def _place(text: str) -> tuple[int, int]:
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise click.UsageError(f"--offset {text!r}: write PARTITION:OFFSET, such as 0:1234")
    return int(partition), int(offset)


@click.command(name="check")
@brokers_option
@model_option
def check_all(brokers: str | None, named: str | None) -> None:
    """Say whether settings, model, brokers, topics and permissions are fit, before anything is consumed."""
    from stream.kafka_io.check import Finding, check_brokers  # noqa: PLC0415

    settings = settings_from(brokers)
    findings = [Finding("settings", True, f"{len(settings_table())} known, all values valid")]
    try:
        card = find_model(home_from(settings), named or settings.model or None).card
        findings.append(
            Finding("model", True, f"{card.name} {card.version}, topics {', '.join(t.name for t in card.topics)}")
        )
    except BadModel as fault:
        findings.append(Finding("model", False, str(fault)))
    fit = True
    for found in itertools.chain(findings, check_brokers(settings)):
        click.echo(f"{'ok  ' if found.fit else 'FAIL'}  {found.what}: {found.told}")
        fit = fit and found.fit
    sys.exit(0 if fit else EXIT_FAULT)


@click.command(name="schema")
@click.argument("record", type=click.Choice([*RECORDS]), required=False)
def print_schema(record: str | None) -> None:
    """Print the JSON Schema of a RECORD, or the names of all."""
    click.echo("\n".join(RECORDS) if record is None else schema_text(record), nl=record is None)


@click.command(name="settings")
def print_settings() -> None:
    """List every setting: variable, default, what it is."""
    table = Table("variable", "default", "what it is", box=None)
    for row in settings_table():
        table.add_row(*row)
    Console(soft_wrap=True, highlight=False).print(table)


@click.command(name="demo")
@click.option("--exit", "ends", is_flag=True, help="end by itself with a summary")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), default=2.0, show_default=True, help="articles a second"
)
def run_the_demo(ends: bool, rate: float) -> None:
    """Show the main job on this machine: embedded broker, worker, sample articles, alerts."""
    from stream.demo import DemoFailed, run_demo  # noqa: PLC0415

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: broker, worker and folders go with it
    try:
        run_demo(Console(soft_wrap=True, highlight=False), rate=rate, stay=not ends)
    except KeyboardInterrupt:
        err.print("ended, and nothing is left behind")
    except DemoFailed as fault:
        _end(fault, EXIT_FAULT)


@click.command(name="models")
@home_option
def list_models(home: Path | None) -> None:
    """List the model versions there are, the champion marked."""
    home = home or home_from(settings_from())
    pointer = read_pointer(home)
    table = Table("", "version", "created", "topics", "items", "macro F1", box=None)
    for model, is_champion in versions(home, pointer):
        measured = model.card.metrics.get("out_of_fold", {}).get("macro_f1")
        table.add_row(
            "*" if is_champion else "",
            model.card.version,
            model.card.created,
            ", ".join(model.topics),
            str(model.card.corpus.get("items", "")),
            f"{measured:.3f}" if measured is not None else "",
        )
    Console(soft_wrap=True, highlight=False).print(table)


@click.command(name="promote")
@click.argument("version")
@home_option
def promote_version(version: str, home: Path | None) -> None:
    """Make VERSION the champion, after it was loaded once whole."""
    promote(home or home_from(settings_from()), version)
    err.print(f"champion is {version}")


@click.command(name="rollback")
@home_option
def roll_back_champion(home: Path | None) -> None:
    """Make the champion before the present one champion again."""
    err.print(f"champion is {roll_back(home or home_from(settings_from())).champion}")


class _progress:  # noqa: N801  (used as a function)
    """A progress line on standard error where that is a terminal; the value is called once for each article."""

    def __init__(self, files: Sequence[str]) -> None:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=err, transient=True, disable=not sys.stderr.isatty())
        self._task = self._progress.add_task(", ".join(files)[:60], total=None)

    def __enter__(self) -> Callable[[], None]:
        self._progress.start()
        return lambda: self._progress.advance(self._task)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


COMMANDS: Final[tuple[click.Command, ...]] = (
    run_the_demo,
    run,
    classify_files,
    publish_files,
    watch_alerts,
    replay_letters,
    check_all,
    print_schema,
    print_settings,
    list_models,
    promote_version,
    roll_back_champion,
)
