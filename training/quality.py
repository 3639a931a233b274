"""Quality: everything that can be told of a model on labelled items, in one value."""

from typing import Any

import msgspec

from stream.features import Floats
from stream.model import STEPS
from training.evaluate import Bin, Judged, bins_of, brier, calibration_error, measures_with_intervals
from training.misses import misses
from training.slices import slices

ALL_TOPICS = "all topics"


class Reliability(msgspec.Struct, frozen=True):
    """How far probabilities can be taken at their word: Brier score, expected calibration error, and the bins behind them."""

    brier: float
    calibration_error: float
    bins: tuple[Bin, ...]


def quality(judged: Judged, resamples: int = 500) -> dict[str, Any]:
    """`measures_with_intervals`, "reliability" by output, "slices", and "misses" by kind; no text of an item is in it."""
    return measures_with_intervals(judged, resamples) | {
        "reliability": reliabilities(judged),
        "slices": slices(judged, resamples),
        "misses": misses(judged),
    }


def reliabilities(judged: Judged) -> dict[str, Reliability]:
    """All topics together (each item once for each), each topic, and each step of urgency ("at least medium" and so on)."""
    count = len(judged.names)
    topics = {name: _reliability(judged.topics[:, k], judged.truth[:, k]) for k, name in enumerate(judged.names)}
    steps = {
        f"at least {step}": _reliability(judged.urgency[:, k], judged.truth[:, count + k])
        for k, step in enumerate(STEPS)
    }
    return {ALL_TOPICS: _reliability(judged.topics.ravel(), judged.truth[:, :count].ravel())} | topics | steps


def _reliability(probabilities: Floats, truth: Floats) -> Reliability:
    return Reliability(
        brier(probabilities, truth), calibration_error(probabilities, truth), bins_of(probabilities, truth)
    )
