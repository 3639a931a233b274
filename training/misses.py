"""Misses: the items on which a model was surest and wrong, by id, to be looked up by who holds the texts."""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from stream.features import Floats, Ints
from stream.urgency import LEVELS, Urgency
from training.evaluate import Flags, Judged, Labels, said_labels, true_labels

MOST: Final = 20  # of a kind


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """An item that was labelled wrongly: its labels, those that were said, and the probability by which it was judged."""

    id: str
    topics: tuple[str, ...]
    said_topics: tuple[str, ...]
    urgency: Urgency
    said_urgency: Urgency
    probability: float


def misses(judged: Judged, most: int = MOST) -> dict[str, tuple[Miss, ...]]:
    """The worst misses of each kind, the worst first, at most `most` of a kind.

    "missed alert" and "false alert" go by the weaker of the two that an alert needs: its likeliest topic, and urgency of at
    least medium. "missed TOPIC" and "false TOPIC" go by the topic; "wrong urgency" by the number of steps, then by the
    probability of the higher of the two levels, or of more.
    """
    true = true_labels(judged.truth)
    said = said_labels(judged.card, judged.topics, judged.urgency)
    kinds: dict[str, tuple[Ints, Floats]] = {}
    alert = np.minimum(judged.topics.max(axis=1), judged.urgency[:, 0])
    for name, was, told, p in (
        ("alert", true.alert, said.alert, alert),
        *((name, true.topics[:, k], said.topics[:, k], judged.topics[:, k]) for k, name in enumerate(judged.names)),
    ):
        kinds[f"missed {name}"] = (_worst(was & ~told, p), p)
        kinds[f"false {name}"] = (_worst(told & ~was, 1.0 - p), p)
    kinds["wrong urgency"] = _wrong_urgency(true, said, judged.urgency)
    return {kind: _told(judged, true, said, rows[:most], p) for kind, (rows, p) in kinds.items()}


def _worst(wrong: Flags, least: Floats) -> Ints:
    """The rows that are `wrong`, those first where `least` is least."""
    rows = np.flatnonzero(wrong)
    ordered: Ints = rows[np.argsort(least[rows], kind="stable")]
    return ordered


def _wrong_urgency(true: Labels, said: Labels, urgency_p: Floats) -> tuple[Ints, Floats]:
    steps = said.ranks - true.ranks
    higher = np.maximum(np.maximum(true.ranks, said.ranks), 1)
    p = urgency_p[np.arange(len(steps)), higher - 1]
    unsure = np.where(steps > 0, 1.0 - p, p)
    return _worst(steps != 0, unsure - np.abs(steps)), p


def _told(judged: Judged, true: Labels, said: Labels, rows: Iterable[int], p: Floats) -> tuple[Miss, ...]:
    def names(flags: Flags) -> tuple[str, ...]:
        return tuple(name for name, flag in zip(judged.names, flags, strict=True) if flag)

    return tuple(
        Miss(
            id=judged.items[row].id,
            topics=names(true.topics[row]),
            said_topics=names(said.topics[row]),
            urgency=LEVELS[true.ranks[row]],
            said_urgency=LEVELS[said.ranks[row]],
            probability=float(p[row]),
        )
        for row in rows
    )
