"""Evaluate: what a model's labels are worth on items that somebody labelled by reading."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from sklearn.metrics import average_precision_score

from stream.features import Floats, Ints
from stream.model import STEPS, Card, Model, score
from training.dataset import Item, targets
from training.thresholds import quadratic_kappa, ranks_of


def evaluate(model: Model, items: Sequence[Item]) -> dict[str, Any]:
    """The measures of `model` on `items`: see `measures`."""
    scores = score(model, [item.text for item in items])
    return measures(model.card, scores.topics, scores.urgency, targets(items, model.topics))


def measures(card: Card, topic_p: Floats, urgency_p: Floats, truth: Floats) -> dict[str, Any]:
    """Per topic and overall, as plain numbers: precision, recall, F1, average precision, Brier score, support; alerts;
    urgency (quadratic kappa over items with a topic, confusion [true][said]); expected calibration error of the topics."""
    count = len(card.topics)
    true_topics, true_ranks = truth[:, :count] >= 0.5, truth[:, count:].sum(axis=1).astype(np.int64)
    limits = np.array([card.thresholds[topic.name].threshold for topic in card.topics])
    said_topics = topic_p >= limits
    said_ranks = ranks_of(urgency_p, tuple(card.thresholds[step].threshold for step in STEPS))
    topics = {
        topic.name: counts(true_topics[:, k], said_topics[:, k]) | _ranked(true_topics[:, k], topic_p[:, k])
        for k, topic in enumerate(card.topics)
    }
    return {
        "items": len(truth),
        "topics": topics,
        "macro_f1": float(np.mean([found["f1"] for found in topics.values()])),
        "mean_average_precision": float(np.mean([found["average_precision"] for found in topics.values()])),
        "alert": counts(true_topics.any(axis=1) & (true_ranks > 0), said_topics.any(axis=1) & (said_ranks > 0)),
        "urgency": _urgency(true_ranks, said_ranks, true_topics.any(axis=1)),
        "calibration_error": calibration_error(topic_p.ravel(), true_topics.ravel()),
    }


def with_intervals(model: Model, items: Sequence[Item], resamples: int = 500) -> dict[str, Any]:
    """`evaluate`, and "intervals": 2.5 and 97.5 per cent points of the headline figures over resampled items (Efron, 1979)."""
    scores, truth = score(model, [item.text for item in items]), targets(items, model.topics)
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, len(items), len(items)) for _ in range(resamples)]
    found = [measures(model.card, scores.topics[rows], scores.urgency[rows], truth[rows]) for rows in drawn]
    intervals = {
        name: [float(point) for point in np.percentile([figure(one) for one in found], [2.5, 97.5])]
        for name, figure in HEADLINES.items()
    }
    return measures(model.card, scores.topics, scores.urgency, truth) | {"intervals": intervals}


HEADLINES: Final[dict[str, Callable[[dict[str, Any]], float]]] = {
    "macro F1 of topics": lambda found: found["macro_f1"],
    "mean average precision": lambda found: found["mean_average_precision"],
    "alert precision": lambda found: found["alert"]["precision"],
    "alert recall": lambda found: found["alert"]["recall"],
    "alert F1": lambda found: found["alert"]["f1"],
    "urgency kappa, items with a topic": lambda found: found["urgency"]["kappa"],
    "calibration error of topics": lambda found: found["calibration_error"],
}


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


def calibration_error(probabilities: Floats, truth: Any, bins: int = 10) -> float:
    """Expected calibration error: the mean distance of a bin's probability from its share of hits, by size of bin."""
    if not len(probabilities):
        return 0.0
    which = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(probabilities[which == b].mean() - truth[which == b].mean()) * (which == b).mean() for b in np.unique(which)
    ]
    return float(sum(gaps))


def _ranked(truth: Any, probabilities: Floats) -> dict[str, float]:
    return {
        "average_precision": float(average_precision_score(truth, probabilities)) if truth.any() else 0.0,
        "brier": float(np.mean((probabilities - truth) ** 2)),
    }


def _urgency(truth: Ints, said: Ints, with_topic: Any) -> dict[str, Any]:
    confusion = np.zeros((4, 4), dtype=int)
    np.add.at(confusion, (truth, said), 1)
    return {
        "kappa": quadratic_kappa(truth[with_topic], said[with_topic]) if with_topic.any() else 0.0,
        "confusion": confusion.tolist(),
    }
