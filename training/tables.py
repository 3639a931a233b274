"""Tables: every number of an evaluation, as HTML tables; all that is told is escaped."""

import html
from collections.abc import Sequence
from typing import Any, Final

from stream.model import Card
from stream.urgency import LEVELS
from training.evaluate import headlines
from training.misses import Miss
from training.slices import FIGURES, Slice

NONE: Final = "–"
WORDS: Final = ' class="words"'


def told(words: object) -> str:
    """`words` as text of a page: escaped, and printable."""
    return html.escape(printable(str(words)))


def printable(words: str) -> str:
    """`words` with a space for each sign that has no shape; some of those no page and no drawing may hold."""
    return "".join(sign if sign.isprintable() else " " for sign in words)


def number(value: float) -> str:
    """A number as the tables have it: a count with its thousands apart, anything else to three places."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of at least one row; the first column names the rows. Numbers stand to the right, words to the left."""
    words = [isinstance(cell, str) for cell in rows[0]]
    head = "".join(
        f'<th scope="col"{WORDS if left else ""}>{told(one)}</th>' for one, left in zip(heads, words, strict=True)
    )
    body = "\n".join(f'<tr><th scope="row">{told(first)}</th>{"".join(map(_cell, rest))}</tr>' for first, *rest in rows)
    return (
        f'<div class="table"><table><caption>{told(caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def all_numbers(found: dict[str, Any]) -> str:
    """The tables of what `quality` found, misses aside."""
    confusions = (("items with a topic", "confusion_with_topic"), ("all items", "confusion"))
    return "\n".join(
        (
            _headline_table(found),
            _topic_table(found),
            *(_confusion_table(of, found["urgency"][name]) for of, name in confusions),
            _calibration_table(found),
            _bin_table(found),
            _slice_table(found),
        )
    )


def miss_tables(found: dict[str, tuple[Miss, ...]]) -> str:
    """A table for each kind of miss of which there is any."""
    heads = ("id", "topics", "urgency", "topics said", "urgency said", "probability")
    return "\n".join(table(kind, heads, [_miss_row(one) for one in misses]) for kind, misses in found.items() if misses)


def threshold_table(card: Card) -> str:
    """The thresholds of `card` and the sentence that chose each."""
    rows = [(name, point.threshold, point.chosen_by) for name, point in card.thresholds.items()]
    return table("Thresholds", ("", "threshold", "chosen by"), rows)


def _cell(value: object) -> str:
    if isinstance(value, (int, float)):
        return f"<td>{number(value)}</td>"
    return f"<td>{NONE}</td>" if value is None else f"<td{WORDS}>{told(value)}</td>"


def _headline_table(found: dict[str, Any]) -> str:
    rows = [
        (name, figure(found), *found["intervals"][name]) for name, figure in headlines(tuple(found["topics"])).items()
    ]
    rows.append(("urgency kappa, all items", found["urgency"]["kappa_of_all"], None, None))
    return table(f"Headline figures of {number(found['items'])} items", ("", "value", "2.5 %", "97.5 %"), rows)


def _topic_table(found: dict[str, Any]) -> str:
    names = ("precision", "recall", "f1", "average_precision", "brier", "support")
    rows = [(topic, *(row.get(name) for name in names)) for topic, row in found["topics"].items()]
    alert = ("alert", *(found["alert"].get(name) for name in names))
    heads = ("", "precision", "recall", "F1", "average precision", "Brier score", "items")
    return table("Topics and alerts at their thresholds", heads, [*rows, alert])


def _confusion_table(of: str, confusion: Sequence[Sequence[int]]) -> str:
    rows = [(level.value, *row) for level, row in zip(LEVELS, confusion, strict=True)]
    return table(f"Urgency of {of}: read as (rows), told as (columns)", ("", *(level.value for level in LEVELS)), rows)


def _calibration_table(found: dict[str, Any]) -> str:
    rows = [(of, one.brier, one.calibration_error) for of, one in found["reliability"].items()]
    return table("Calibration", ("", "Brier score", "expected calibration error"), rows)


def _bin_table(found: dict[str, Any]) -> str:
    rows = [
        (of, one.low, one.high, one.items, one.said, one.true)
        for of, found_of in found["reliability"].items()
        for one in found_of.bins
    ]
    heads = ("", "from", "to", "items", "mean probability said", "share that is true")
    return table("Bins of the reliability curves", heads, rows)


def _slice_table(found: dict[str, Any]) -> str:
    heads = ["", "by", "items", *(f"with {name}" for name in (*found["topics"], "alert"))]
    for label in FIGURES.values():
        heads += [label, "2.5 %", "97.5 %"]
    return table("Slices", heads, [_slice_row(part) for part in found["slices"]])


def _slice_row(part: Slice) -> list[object]:
    row: list[object] = [part.name, part.by, part.items, *part.positives.values()]
    for field in FIGURES:
        one = getattr(part, field)
        row += [one.value, one.low, one.high] if one is not None else [None] * 3
    return row


def _miss_row(one: Miss) -> tuple[object, ...]:
    return (
        one.id,
        ", ".join(one.topics) or NONE,
        one.urgency.value,
        ", ".join(one.said_topics) or NONE,
        one.said_urgency.value,
        one.probability,
    )
