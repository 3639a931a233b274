"""All commands: those that run online, and the offline ones, which need the extra `train`."""

import importlib.util
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import click
import msgspec
from rich.console import Console
from rich.table import Table

from stream import cli
from stream.cli import err, home_from, home_option, model_option, settings_from
from stream.faults import EXIT_FAULT
from stream.home import find_model, promote

NOT_PROMOTED: Final = 4

seed_option: Final = click.option("--seed", default=1, show_default=True, help="the same seed gives the same model")
jobs_option: Final = click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="processes")
rule_option: Final = click.option(
    "--rule",
    default="maximum f1",
    show_default=True,
    help="how thresholds are chosen, such as 'maximum recall @ precision >= 0.9'",
)
existing: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(name="train")
@click.argument("files", nargs=-1, type=existing)
@home_option
@seed_option
@jobs_option
@rule_option
@click.option(
    "--choose-on",
    "chosen",
    multiple=True,
    type=existing,
    help="labelled items to choose thresholds on, not to train on",
)
@click.option(
    "--all", "everything", is_flag=True, help="real labels (texts in NEWSALERT_NEWS), the teacher's, and the corpus"
)
@click.option("--promote", "promoting", is_flag=True, help="make it the champion, whatever it measures")
def train_model(
    files: tuple[Path, ...],
    home: Path | None,
    seed: int,
    jobs: int,
    rule: str,
    chosen: tuple[Path, ...],
    everything: bool,
    promoting: bool,
) -> None:
    """Train a model on FILES of labelled items (default: the project's own corpus) into the model home.

    With --all it is trained as the shipped model was, by whoever holds the texts: NEWSALERT_NEWS names their folder.
    """
    _need_extra()
    from training.dataset import BadCorpus, load_corpus  # noqa: PLC0415
    from training.estimator import Recipe  # noqa: PLC0415
    from training.news import labelled, news_from, real_items, soft_items  # noqa: PLC0415
    from training.thresholds import BadSentence, parse_rule  # noqa: PLC0415
    from training.train import corpus_files, load_topics, train  # noqa: PLC0415

    home = home or home_from(settings_from())
    try:
        parse_rule(rule)
        topics = load_topics()
        names = [topic.name for topic in topics]
        items = load_corpus(files or corpus_files(), names)
        recipe = Recipe(seed=seed, jobs=jobs, topic_rule=rule)
        also, soft = [], []
        if everything:
            news = news_from(settings_from())
            recipe = replace(recipe, c_grid=(max(recipe.c_grid),))  # 2 to 8 measured alike on so many items
            also, items = items, real_items(news, names)
            soft = soft_items(news, len(names) + 3, {item.id for item in items})
        with err.status("training") as status:
            trained = train(
                items,
                topics,
                home,
                recipe=recipe,
                created=_now(),
                tell=lambda step: _told(status, step),
                choose_on=labelled(chosen, names, settings_from().news),
                also=also,
                soft=soft,
            )
    except (BadCorpus, BadSentence) as fault:
        _fail(fault)
    _table(f"{trained.version}, out of fold on {trained.metrics['items']} items", trained.metrics)
    err.print(f"serving equals the estimator to {trained.parity:.1e} on items spread over all")
    err.print(f"{trained.folder}")
    if promoting:
        promote(home, trained.version)
        err.print(f"champion is {trained.version}")
    else:
        err.print(f"make it the champion with: newsalert promote {trained.version}")


@click.command(name="evaluate")
@click.argument("file", type=existing)
@model_option
@home_option
@click.option("--json", "as_json", is_flag=True, help="all measures as JSON on standard output")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="write one HTML page with plots there; it holds no text of an item and loads nothing",
)
def evaluate_model(file: Path, named: str | None, home: Path | None, as_json: bool, report: Path | None) -> None:
    """Measure a model on FILE, labelled items that it was not trained on.

    Where FILE has ids and labels alone, the texts are looked up in the folder that NEWSALERT_NEWS names.
    """
    _need_extra()
    _check_report(report)
    from training.dataset import BadCorpus  # noqa: PLC0415
    from training.evaluate import judge  # noqa: PLC0415
    from training.news import labelled  # noqa: PLC0415
    from training.quality import quality  # noqa: PLC0415

    model = find_model(home or home_from(settings_from()), named)
    try:
        items = labelled([file], model.topics, settings_from().news)
    except BadCorpus as fault:
        _fail(fault)
    if not items:
        _fail(f"{file}: no item to measure on: give lines with 'text', or set NEWSALERT_NEWS to the texts of its ids")
    judged = judge(model, items)
    found = quality(judged)
    if report:
        _write_report(report, judged, found, file.name)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _table(f"{model.card.version} on {len(items)} items of {file}", found)


@click.command(name="compare")
@click.argument("candidate")
@home_option
@click.option("--on", "judged", type=existing, help="labelled items to compare on (default: the project's fixed set)")
def compare_models(candidate: str, home: Path | None, judged: Path | None) -> None:
    """Compare CANDIDATE (a version or a model folder) with the champion on a fixed set."""
    _need_extra()
    from training.dataset import load_corpus  # noqa: PLC0415
    from training.retrain import compare  # noqa: PLC0415
    from training.train import FIXED  # noqa: PLC0415

    home = home or home_from(settings_from())
    champion = find_model(home, None)
    items = load_corpus([judged or FIXED], champion.topics)
    _comparison(compare(champion, find_model(home, candidate), items))


@click.command(name="retrain")
@click.option(
    "--add",
    "added",
    multiple=True,
    required=True,
    type=existing,
    help="your labelled items, JSON Lines; may be repeated",
)
@click.option("--on", "judged", type=existing, help="labelled items to compare on (default: the project's fixed set)")
@click.option(
    "--from-scratch", is_flag=True, help="train anew on the project's corpus and yours, in place of moving the champion"
)
@click.option(
    "--margin", default=0.01, show_default=True, help="how much a figure may fall and still count as not worse"
)
@home_option
@seed_option
@jobs_option
@rule_option
@click.option("--json", "as_json", is_flag=True, help="the decision as JSON on standard output")
def retrain_model(
    added: tuple[Path, ...],
    judged: Path | None,
    from_scratch: bool,
    margin: float,
    home: Path | None,
    seed: int,
    jobs: int,
    rule: str,
    as_json: bool,
) -> None:
    """Move the champion by your own labelled items, compare the two on a fixed set, promote if not worse. Fit for cron.

    The champion's weights are the prior: a hundred labels move what they speak of, without the texts it was first taught on.

    Exit status: 0 promoted, 4 trained but not promoted, 1 nothing trained, 2 wrong settings or arguments.
    """
    _need_extra()
    from training.dataset import BadCorpus, load_corpus  # noqa: PLC0415
    from training.estimator import Recipe  # noqa: PLC0415
    from training.retrain import retrain  # noqa: PLC0415
    from training.thresholds import BadSentence, parse_rule  # noqa: PLC0415
    from training.train import FIXED, corpus_files, load_topics  # noqa: PLC0415

    home = home or home_from(settings_from())
    try:
        parse_rule(rule)
        names = [topic.name for topic in load_topics()]
        own = load_corpus(added, names)
        with err.status("retraining") as status:
            decision = retrain(
                load_corpus(corpus_files(), names) if from_scratch else None,
                own,
                load_corpus([judged or FIXED], names),
                home,
                Recipe(seed=seed, jobs=jobs, topic_rule=rule),
                _now(),
                lambda step: _told(status, step),
                margin,
            )
    except (BadCorpus, BadSentence) as fault:
        _fail(fault)
    if as_json:
        click.echo(msgspec.json.encode(decision))
    _comparison(decision.figures)
    err.print(decision.words)
    sys.exit(0 if decision.promoted else NOT_PROMOTED)


def _need_extra() -> None:
    if importlib.util.find_spec("sklearn") is None or importlib.util.find_spec("joblib") is None:
        _fail("this command needs scikit-learn and joblib: pip install 'newsalert[train]'")


def _check_report(report: Path | None) -> None:
    """Ends where the page could not be written, before minutes are spent on measuring."""
    if report is None:
        return
    if importlib.util.find_spec("matplotlib") is None:
        _fail("--report needs matplotlib: pip install 'newsalert[train]'")
    if not report.absolute().parent.is_dir():
        _fail(f"{report}: its folder does not exist: make it, or name another")


def _write_report(report: Path, judged: Any, found: dict[str, Any], of: str) -> None:
    from training.report import page  # noqa: PLC0415  (matplotlib is slow to import)

    try:
        report.write_text(page(judged, found, of, _now()), encoding="utf-8")
    except OSError as fault:
        _fail(f"{report}: cannot be written: {fault.strerror}")
    err.print(f"wrote {report}")


def _now() -> str:
    """The time of training, or SOURCE_DATE_EPOCH (reproducible-builds.org) where a model must come out the same again."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _told(status: Any, step: str) -> None:
    status.update(step)
    if not err.is_terminal:
        err.print(step)


def _fail(fault: object) -> NoReturn:
    err.print(f"newsalert: {fault}", markup=False)
    sys.exit(EXIT_FAULT)


def _table(title: str, found: dict[str, Any]) -> None:
    table = Table(
        "", "precision", "recall", "F1", "average precision", "items", title=title, title_justify="left", box=None
    )
    for name, row in found["topics"].items():
        table.add_row(name, *_numbers(row), f"{row['average_precision']:.3f}", str(row["support"]))
    table.add_row("alert", *_numbers(found["alert"]), "", str(found["alert"]["support"]))
    console = Console(soft_wrap=True, highlight=False)
    console.print(table)
    console.print(
        f"macro F1 {found['macro_f1']:.3f}   mean average precision {found['mean_average_precision']:.3f}   "
        f"urgency kappa {found['urgency']['kappa']:.3f}   calibration error {found['calibration_error']:.3f}"
    )
    for name, (low, high) in found.get("intervals", {}).items():
        console.print(f"{name}: 95 % within {low:.3f} to {high:.3f}")


def _numbers(row: dict[str, float]) -> list[str]:
    return [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]


def _comparison(figures: Sequence[Any]) -> None:
    table = Table("", "champion", "candidate", "", box=None)
    for one in figures:
        champion = f"{one.champion:.3f}" if one.champion is not None else "-"
        table.add_row(one.figure, champion, f"{one.candidate:.3f}", "worse" if one.worse else "")
    Console(stderr=True, soft_wrap=True, highlight=False).print(table)


COMMANDS: Final = (*cli.COMMANDS, train_model, evaluate_model, compare_models, retrain_model)


def main() -> NoReturn:
    """The console command `newsalert`."""
    cli.program(COMMANDS)
