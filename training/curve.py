"""Curve: what more labels, the written corpus and the teacher are each worth to the served form, on items set apart.

Run with `python -m training.curve ITEMS`, where NEWSALERT_NEWS names the texts. Each stage is taught anew by the shipped recipe
(terms chosen, weights fitted; C is the champion's) and gets thresholds of its own on ITEMS. The teacher's row is what
`python -m training.teacher --check ITEMS` wrote.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np
from msgspec.structs import replace
from scipy.special import expit

from stream.features import Floats
from stream.home import SHIPPED
from stream.model import Card, load_model
from stream.settings import Settings
from training.dataset import LABELS, Item, Soft, distinct, load_corpus, targets
from training.estimator import Recipe, taught
from training.evaluate import measures
from training.export import thresholds_for
from training.news import labelled, news_from, real_items, soft_items
from training.thresholds import choose_all
from training.train import corpus_files, lesson_of

CURVE: Final = LABELS / "curve.json"
TEACHER_WORTH: Final = LABELS / "teacher.json"


class Worth(msgspec.Struct, frozen=True):
    """What a model of one kind, `told`, taught on so many texts, is worth on `measured_on` items."""

    told: str
    labels: int
    written: int
    soft: int
    measured_on: int
    average_precision: dict[str, float]
    macro_f1: float
    alert_precision: float
    alert_recall: float
    kappa: float

    @property
    def mean_average_precision(self) -> float:
        """Over the topics."""
        return float(np.mean(list(self.average_precision.values())))


def worth(card: Card, log_odds: Floats, truth: Floats, told: str, labels: int, written: int, soft: int) -> Worth:
    """Measures of `log_odds` [n, topics + 3] against `truth`, thresholds chosen on the same."""
    p = expit(log_odds)
    count = len(card.topics)
    points = thresholds_for(card.topics, choose_all(p, truth, "maximum f1"))
    urgency = np.minimum.accumulate(p[:, count:], axis=1)
    found = measures(replace(card, thresholds=points), p[:, :count], urgency, truth)
    return Worth(
        told=told,
        labels=labels,
        written=written,
        soft=soft,
        measured_on=len(truth),
        average_precision={name: row["average_precision"] for name, row in found["topics"].items()},
        macro_f1=found["macro_f1"],
        alert_precision=found["alert"]["precision"],
        alert_recall=found["alert"]["recall"],
        kappa=found["urgency"]["kappa"],
    )


def stages(
    real: Sequence[Item], written: Sequence[Item], soft: Sequence[Soft]
) -> Iterator[tuple[str, list[Item], list[Item], list[Soft]]]:
    """What is taught at each stage: its name, real items, written ones, a teacher's."""
    mixed = [real[k] for k in np.random.default_rng(1).permutation(len(real))]
    yield "the written corpus alone", list(written), [], []
    yield "a quarter of the labels", mixed[: len(mixed) // 4], [], []
    yield "half of the labels", mixed[: len(mixed) // 2], [], []
    yield "all labels", mixed, [], []
    yield "all labels and the written corpus", mixed, list(written), []
    yield "and the teacher's (the shipped model)", mixed, list(written), list(soft)


def markdown(rows: Sequence[Worth]) -> str:
    """The rows as a table."""
    names = list(rows[0].average_precision)
    head = ["taught on", "labels", "written", "teacher's", *(f"AP {name}" for name in names), "mean AP", "macro-F1"]
    head += ["alert precision", "alert recall", "urgency kappa"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        figures = [*row.average_precision.values(), row.mean_average_precision, row.macro_f1]
        figures += [row.alert_precision, row.alert_recall, row.kappa]
        cells = [row.told, f"{row.labels:,}", f"{row.written:,}", f"{row.soft:,}", *(f"{one:.3f}" for one in figures)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def load_rows() -> list[Worth]:
    """The curve as measured last, the teacher's row at its end."""
    rows = msgspec.json.decode(CURVE.read_bytes(), type=list[Worth])
    if TEACHER_WORTH.exists():
        rows.append(msgspec.json.decode(TEACHER_WORTH.read_bytes(), type=Worth))
    return rows


@click.command()
@click.argument("items", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(items: Path) -> None:
    """Measure each stage on ITEMS, labelled and never taught; write training/labels/curve.json and print the table."""
    card = load_model(SHIPPED).card
    names = [topic.name for topic in card.topics]
    news = news_from(Settings.from_env(os.environ))
    apart, real = labelled([items], names, str(news)), distinct(real_items(news, names))
    written, soft = (
        load_corpus(corpus_files(), names),
        soft_items(news, len(names) + 3, {item.id for item in real}),
    )
    truth, rows, recipe = targets(apart, names), [], Recipe(c_grid=(_c(card),))
    for told, mine, also, taught_soft in stages(real, written, soft):
        pipeline = taught(lesson_of(mine, also, taught_soft, names, recipe), recipe, click.echo)
        labels, texts = (0, len(mine)) if mine == written else (len(mine), len(also))
        found = pipeline.decision_function([item.text for item in apart])
        rows.append(worth(card, found, truth, told, labels, texts, len(taught_soft)))
        click.echo(f"{told}: mean average precision {rows[-1].mean_average_precision:.3f}")
    CURVE.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")
    click.echo(markdown(load_rows()))


def _c(card: Card) -> float:
    settings: dict[str, Any] = card.settings
    return float(settings["c"])


if __name__ == "__main__":
    main()
