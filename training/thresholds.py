"""Thresholds: operating points chosen by a sentence, such as "maximum recall @ precision >= 0.9".

The sentences are those of ORES (Wikimedia): what to make as large as possible, and what must hold meanwhile.
"""

import itertools
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.metrics import cohen_kappa_score

from stream.features import Bools, Floats, Ints
from stream.model import OperatingPoint

SENTENCE: Final = re.compile(
    r"maximum (?P<goal>precision|recall|f1)(?: @ (?P<bound>precision|recall) >= (?P<least>0?\.\d+|0|1(?:\.0+)?))?"
)
RESAMPLES: Final = 200
KAPPA: Final = "maximum sum of quadratic kappa of items with a topic and F1 of alerts"


class BadSentence(ValueError):
    """A sentence that chooses no threshold; shows the form."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`goal` is to be largest where `bound`, if any, is at least `least`."""

    goal: str
    bound: str | None
    least: float


def parse_rule(sentence: str) -> Rule:
    """The rule that `sentence` states; raises BadSentence."""
    found = SENTENCE.fullmatch(sentence.strip())
    if not found:
        raise BadSentence(f"'{sentence}' is no rule: write 'maximum f1', or 'maximum recall @ precision >= 0.9'")
    return Rule(found["goal"], found["bound"], float(found["least"] or 0.0))


def choose(probabilities: Floats, truth: Floats, sentence: str) -> OperatingPoint:
    """The threshold that follows `sentence` on these items; where none can meet it, the nearest, and it is said."""
    rule = parse_rule(sentence)
    thresholds, curves = operating_curve(probabilities, truth)
    if not len(thresholds):
        return OperatingPoint(0.5, f"{sentence}: no item of this kind to choose on, 0.5 taken")
    if rule.bound is None:
        return OperatingPoint(_steady(probabilities, truth, rule.goal), sentence)
    allowed = curves[rule.bound] >= rule.least
    if not allowed.any():
        return OperatingPoint(
            _at(thresholds, curves[rule.bound]), f"{sentence}: out of reach, largest {rule.bound} taken"
        )
    return OperatingPoint(_at(thresholds, np.where(allowed, curves[rule.goal], -1.0)), sentence)


def _steady(probabilities: Floats, truth: Floats, goal: str) -> float:
    """The median of the best thresholds of resampled items: the very best on some hundred items is luck, this is less so."""
    rng = np.random.default_rng(1)
    best = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(truth), len(truth))
        thresholds, curves = operating_curve(probabilities[drawn], truth[drawn])
        if len(thresholds):
            best.append(_at(thresholds, curves[goal]))
    return round(float(np.median(best)), 6)


def operating_curve(probabilities: Floats, truth: Floats) -> tuple[Floats, dict[str, Floats]]:
    """Thresholds, falling, each half-way to the next probability below, and precision, recall and F1 at each."""
    if not truth.any():
        return np.empty(0), {}
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], np.cumsum(truth[order])
    last = np.flatnonzero(np.append(np.diff(ranked) != 0, True))
    hits, taken, ranked = hits[last], last + 1.0, ranked[last]
    thresholds = (ranked + np.append(ranked[1:], ranked[-1])) / 2
    curves = {
        "precision": hits / taken,
        "recall": hits / truth.sum(),
        "f1": 2 * hits / (taken + truth.sum()),
    }
    return thresholds, curves


def choose_all(p: Floats, truth: Floats, sentence: str) -> list[OperatingPoint]:
    """An operating point for each topic, by `sentence`, and for urgency at least medium, high, critical; arrays [n, topics + 3]."""
    count = truth.shape[1] - 3
    chosen = [choose(p[:, k], truth[:, k], sentence) for k in range(count)]
    said: Bools = np.asarray((p[:, :count] >= np.array([point.threshold for point in chosen])).any(axis=1))
    has_topic: Bools = np.asarray(truth[:, :count].any(axis=1))
    ranks = truth[:, count:].sum(axis=1).astype(np.int64)
    steps = choose_urgency(p[:, count:], ranks, has_topic, said)
    return [*chosen, *(OperatingPoint(step, KAPPA) for step in steps)]


def choose_urgency(at_least: Floats, ranks: Ints, has_topic: Bools, said_topic: Bools) -> tuple[float, float, float]:
    """Thresholds for medium, high and critical [n, 3] that give the largest sum of quadratic kappa, over the items that have a
    topic, and F1 of alerts, over all: an alert is a topic said and at least medium."""
    grids = (np.linspace(0.1, 0.9, 33), np.linspace(0.15, 0.7, 12), np.linspace(0.05, 0.6, 12))
    p, wanted = np.minimum.accumulate(at_least, axis=1), has_topic & (ranks > 0)

    def worth(steps: tuple[float, ...]) -> float:
        said = ranks_of(p, steps)
        alerts = said_topic & (said > 0)
        f1 = 2.0 * (alerts & wanted).sum() / max(alerts.sum() + wanted.sum(), 1)
        return quadratic_kappa(ranks[has_topic], said[has_topic]) + float(f1)

    best = max(itertools.product(*grids), key=worth)
    return (float(best[0]), float(best[1]), float(best[2]))


def quadratic_kappa(truth: Ints, said: Ints) -> float:
    """Cohen's kappa with quadratic weights over ranks 0..3; 1.0 where both are the same constant."""
    if (truth == said).all():
        return 1.0
    return float(cohen_kappa_score(truth, said, weights="quadratic", labels=[0, 1, 2, 3]))


def ranks_of(at_least: Floats, steps: tuple[float, ...]) -> Ints:
    """The rank 0..3 of each row of `at_least` [n, 3]: steps are climbed while each reaches its threshold."""
    climbed: Ints = np.cumprod(at_least >= np.array(steps), axis=1).sum(axis=1)
    return climbed


def _at(thresholds: Floats, curve: Floats) -> float:
    return round(float(thresholds[int(np.argmax(curve))]), 6)
