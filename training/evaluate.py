"""Evaluate: what a model's labels are worth on items that somebody labelled by reading."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from stream.features import Floats, Ints
from stream.model import STEPS, Card, Model, score
from training.dataset import Item, targets
from training.thresholds import operating_curve, quadratic_kappa, ranks_of

Flags = npt.NDArray[np.bool_]
BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled items and what a model says of them, row by row.

    Probabilities `topics` float64 [n, topics] and `urgency` float64 [n, 3]; `truth` float64 [n, topics + 3], see `targets`.
    """

    card: Card
    items: tuple[Item, ...]
    topics: Floats
    urgency: Floats
    truth: Floats

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the topics."""
        return tuple(topic.name for topic in self.card.topics)


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of n items: `topics` bool [n, topics], urgency `ranks` 0..3 [n], and whether they are worth an `alert` [n]."""

    topics: Flags
    ranks: Ints
    alert: Flags


class Bin(msgspec.Struct, frozen=True):
    """The items with a probability from `low` to `high`: how many, what was `said` of them on average, what share is `true`."""

    low: float
    high: float
    items: int
    said: float
    true: float


def judge(model: Model, items: Sequence[Item]) -> Judged:
    """What `model` says of `items`."""
    scores = score(model, [item.text for item in items])
    return Judged(model.card, tuple(items), scores.topics, scores.urgency, targets(items, model.topics))


def evaluate(model: Model, items: Sequence[Item]) -> dict[str, Any]:
    """The measures of `model` on `items`: see `measures`."""
    judged = judge(model, items)
    return measures(judged.card, judged.topics, judged.urgency, judged.truth)


def measures(card: Card, topic_p: Floats, urgency_p: Floats, truth: Floats) -> dict[str, Any]:
    """Per topic and overall, as plain numbers: precision, recall, F1, average precision, Brier score, support; alerts;
    urgency (quadratic kappa and confusion [true][said] of items with a topic and of all); calibration error of the topics."""
    true, said = true_labels(truth), said_labels(card, topic_p, urgency_p)
    with_topic: Flags = np.asarray(true.topics.any(axis=1))
    topics = {
        topic.name: counts(true.topics[:, k], said.topics[:, k]) | _ranked(true.topics[:, k], topic_p[:, k])
        for k, topic in enumerate(card.topics)
    }
    return {
        "items": len(truth),
        "topics": topics,
        "macro_f1": float(np.mean([found["f1"] for found in topics.values()])),
        "mean_average_precision": float(np.mean([found["average_precision"] for found in topics.values()])),
        "brier": float(np.mean([found["brier"] for found in topics.values()])),
        "alert": counts(true.alert, said.alert),
        "urgency": _urgency(true.ranks, said.ranks, with_topic),
        "calibration_error": calibration_error(topic_p.ravel(), true.topics.ravel()),
    }


def with_intervals(model: Model, items: Sequence[Item], resamples: int = 500) -> dict[str, Any]:
    """`evaluate`, and "intervals": see `measures_with_intervals`."""
    return measures_with_intervals(judge(model, items), resamples)


def measures_with_intervals(judged: Judged, resamples: int = 500) -> dict[str, Any]:
    """`measures`, and "intervals": 2.5 and 97.5 per cent points of the headline figures over resampled items (Efron, 1979)."""
    card, topics, urgency, truth = judged.card, judged.topics, judged.urgency, judged.truth
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, len(truth), len(truth)) for _ in range(resamples)]
    found = [measures(card, topics[rows], urgency[rows], truth[rows]) for rows in drawn]
    intervals = {
        name: [float(point) for point in np.percentile([figure(one) for one in found], [2.5, 97.5])]
        for name, figure in headlines(judged.names).items()
    }
    return measures(card, topics, urgency, truth) | {"intervals": intervals}


HEADLINES: Final[dict[str, Callable[[dict[str, Any]], float]]] = {
    "macro F1 of topics": lambda found: found["macro_f1"],
    "mean average precision": lambda found: found["mean_average_precision"],
    "alert precision": lambda found: found["alert"]["precision"],
    "alert recall": lambda found: found["alert"]["recall"],
    "alert F1": lambda found: found["alert"]["f1"],
    "urgency kappa, items with a topic": lambda found: found["urgency"]["kappa"],
    "calibration error of topics": lambda found: found["calibration_error"],
    "Brier score of topics": lambda found: found["brier"],
}


def headlines(topics: Sequence[str]) -> dict[str, Callable[[dict[str, Any]], float]]:
    """The figures that get an interval: HEADLINES, and "F1 of" each of `topics`."""

    def f1_of(topic: str) -> Callable[[dict[str, Any]], float]:
        return lambda found: found["topics"][topic]["f1"]

    return HEADLINES | {f"F1 of {topic}": f1_of(topic) for topic in topics}


def true_labels(truth: Floats) -> Labels:
    """The labels that `truth`, float64 [n, topics + 3], stands for."""
    count = truth.shape[1] - len(STEPS)
    return _labels(truth[:, :count] >= 0.5, truth[:, count:].sum(axis=1).astype(np.int64))


def said_labels(card: Card, topic_p: Floats, urgency_p: Floats) -> Labels:
    """The labels that the thresholds of `card` make of the probabilities."""
    limits = np.array([card.thresholds[topic.name].threshold for topic in card.topics])
    steps = tuple(card.thresholds[step].threshold for step in STEPS)
    return _labels(topic_p >= limits, ranks_of(urgency_p, steps))


def counts(truth: Any, said: Any) -> dict[str, float]:
    """Precision, recall, F1 (0 where undefined) and the number of true items."""
    hits = float((truth & said).sum())
    precision = hits / said.sum() if said.any() else 0.0
    recall = hits / truth.sum() if truth.any() else 0.0
    f1 = 2 * hits / (truth.sum() + said.sum()) if hits else 0.0
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "support": int(truth.sum()),
    }


def average_precision(probabilities: Floats, truth: Any) -> float:
    """Precision at each threshold, weighted by the recall it adds: scikit-learn's definition, without its checks at each call."""
    _, curves = operating_curve(probabilities, truth)
    return float(curves["precision"] @ np.diff(curves["recall"], prepend=0.0)) if curves else 0.0


def bins_of(probabilities: Floats, truth: Any, bins: int = BINS) -> tuple[Bin, ...]:
    """The bins of equal width that have items, from low to high: what a reliability curve draws."""
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    return tuple(
        Bin(
            int(b) / bins,
            (int(b) + 1) / bins,
            int((which == b).sum()),
            float(probabilities[which == b].mean()),
            float(truth[which == b].mean()),
        )
        for b in np.unique(which)
    )


def calibration_error(probabilities: Floats, truth: Any, bins: int = BINS) -> float:
    """Expected calibration error: the mean distance of a bin's probability from its share of hits, by size of bin."""
    gaps = [abs(one.said - one.true) * one.items for one in bins_of(probabilities, truth, bins)]
    return float(sum(gaps) / len(probabilities)) if gaps else 0.0


def brier(probabilities: Floats, truth: Any) -> float:
    """Brier score: the mean squared distance of probability and truth, 0 (best) to 1."""
    return float(np.mean((probabilities - truth) ** 2))


def _labels(topics: Flags, ranks: Ints) -> Labels:
    return Labels(topics, ranks, topics.any(axis=1) & (ranks > 0))


def _ranked(truth: Any, probabilities: Floats) -> dict[str, float]:
    return {
        "average_precision": average_precision(probabilities, truth),
        "brier": brier(probabilities, truth),
    }


def _urgency(truth: Ints, said: Ints, with_topic: Flags) -> dict[str, Any]:
    return {
        "kappa": quadratic_kappa(truth[with_topic], said[with_topic]) if with_topic.any() else 0.0,
        "confusion": _confusion(truth, said),
        "kappa_of_all": quadratic_kappa(truth, said),
        "confusion_with_topic": _confusion(truth[with_topic], said[with_topic]),
    }


def _confusion(truth: Ints, said: Ints) -> list[list[int]]:
    found = np.zeros((4, 4), dtype=int)
    np.add.at(found, (truth, said), 1)
    return [[int(cell) for cell in row] for row in found]
