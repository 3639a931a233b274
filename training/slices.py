"""Slices: the measures on parts of the items, so that a good mean hides no bad part."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from stream.features import Floats, Ints
from stream.model import Card
from training.dataset import Item
from training.evaluate import Judged, average_precision, counts, said_labels, true_labels
from training.regions import NONE_TOLD, REGIONS, region_of

FEWEST: Final = 20  # items; a figure of fewer says nothing
SOURCES: Final = 10  # told by name, the largest; the others stand together
OTHERS: Final = "all other sources"
NOT_NAMED: Final = "source not told"
BRIEF, LONG = 100, 400  # words
LENGTHS: Final = (f"under {BRIEF} words", f"{BRIEF} to {LONG} words", f"over {LONG} words")
TURN: Final = 2025
TIMES: Final = (f"before {TURN}", f"{TURN} and later")
YEAR: Final = re.compile(r"\d{4}(?!\d)", re.ASCII)
NO_DATE: Final = "no date"


class Estimate(msgspec.Struct, frozen=True):
    """A figure and the 2.5 and 97.5 per cent points of it over resampled items."""

    value: float
    low: float
    high: float


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the items. `positives`: items with each topic, and those worth an "alert".

    F1 and average precision are means over the topics that the part has. A figure is None below FEWEST items and where
    there is nothing to measure.
    """

    by: str
    name: str
    items: int
    positives: dict[str, int]
    macro_f1: Estimate | None = None
    mean_average_precision: Estimate | None = None
    alert_f1: Estimate | None = None


FIGURES: Final = {
    "macro_f1": "macro F1",
    "mean_average_precision": "mean average precision",
    "alert_f1": "alert F1",
}


def slices(judged: Judged, resamples: int = 500) -> tuple[Slice, ...]:
    """The slices by length, source, year, time (before TURN and since) and region, in the order in which to show them."""
    return tuple(
        _slice(by, name, rows, judged, resamples)
        for by, parts in parted(judged.items).items()
        for name, rows in parts.items()
    )


def parted(items: Sequence[Item]) -> dict[str, dict[str, Ints]]:
    """What is sliced by, its parts by name in the order in which to show them, and the rows of each; no part is empty."""
    largest = _largest_sources(items)
    ways: dict[str, tuple[Callable[[Item], str], Sequence[str]]] = {
        "length": (_length, LENGTHS),
        "source": (lambda item: _source(item, largest), (*largest, OTHERS, NOT_NAMED)),
        "year": (year_of, (*sorted({year_of(item) for item in items} - {NO_DATE}), NO_DATE)),
        "time": (_time, TIMES),
        "region": (lambda item: region_of(item.text), (*REGIONS, NONE_TOLD)),
    }
    return {by: _parts([part_of(item) for item in items], order) for by, (part_of, order) in ways.items()}


def year_of(item: Item) -> str:
    """The year in which `item` was published, by its own word; NO_DATE where it gives none that begins with a year."""
    found = YEAR.match(item.published or "")
    return found[0] if found else NO_DATE


def figures(card: Card, topic_p: Floats, urgency_p: Floats, truth: Floats) -> Floats:
    """The FIGURES of these items, float64 [3]; NaN where there is nothing to measure: no topic, no alert either way."""
    true, said = true_labels(truth), said_labels(card, topic_p, urgency_p)
    there = np.flatnonzero(true.topics.any(axis=0))
    f1 = [counts(true.topics[:, k], said.topics[:, k])["f1"] for k in there]
    ranked = [average_precision(topic_p[:, k], true.topics[:, k]) for k in there]
    alerts = (true.alert | said.alert).any()
    return np.array(
        [
            np.mean(f1) if f1 else np.nan,
            np.mean(ranked) if ranked else np.nan,
            counts(true.alert, said.alert)["f1"] if alerts else np.nan,
        ]
    )


def _slice(by: str, name: str, rows: Ints, judged: Judged, resamples: int) -> Slice:
    true = true_labels(judged.truth[rows])
    positives = {topic: int(true.topics[:, k].sum()) for k, topic in enumerate(judged.names)}
    found: list[Estimate | None] = [None] * len(FIGURES)
    if len(rows) >= FEWEST:
        found = _estimates(judged, rows, resamples)
    return Slice(
        by=by,
        name=name,
        items=len(rows),
        positives=positives | {"alert": int(true.alert.sum())},
        **dict(zip(FIGURES, found, strict=True)),
    )


def _estimates(judged: Judged, rows: Ints, resamples: int) -> list[Estimate | None]:
    def measured(chosen: Ints) -> Floats:
        return figures(judged.card, judged.topics[chosen], judged.urgency[chosen], judged.truth[chosen])

    rng = np.random.default_rng(1)
    drawn = np.stack([measured(rng.choice(rows, len(rows))) for _ in range(resamples)])
    return [_estimate(value, column) for value, column in zip(measured(rows), drawn.T, strict=True)]


def _estimate(value: float, drawn: Floats) -> Estimate | None:
    known = drawn[~np.isnan(drawn)]  # a resample may have lost the few items that a topic has
    if np.isnan(value) or not len(known):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def _parts(told: Sequence[str], order: Sequence[str]) -> dict[str, Ints]:
    names = np.array(told, dtype=object)
    found = {name: np.flatnonzero(names == name) for name in order}
    return {name: rows for name, rows in found.items() if len(rows)}


def _length(item: Item) -> str:
    words = len(item.text.split())
    return LENGTHS[(words >= BRIEF) + (words > LONG)]


def _time(item: Item) -> str:
    year = year_of(item)
    return NO_DATE if year == NO_DATE else TIMES[int(year) >= TURN]


def _source(item: Item, largest: Sequence[str]) -> str:
    if not item.source:
        return NOT_NAMED
    return item.source if item.source in largest else OTHERS


def _largest_sources(items: Sequence[Item]) -> list[str]:
    sizes = Counter(item.source for item in items if item.source)
    return sorted(sizes, key=lambda name: (-sizes[name], name))[:SOURCES]
