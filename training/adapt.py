"""Adapt: a champion moved by a user's own labels, without the texts it was first taught on.

The champion's weights are the prior's mean: a logistic regression on the user's items alone, regularised towards them.
With a hundred labels the weights of what those items say move, all others stay. The vocabulary, calibration and
thresholds stay the champion's: words that it never knew are not learnt this way; `retrain --from-scratch` learns them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

from stream.features import Floats, Ints, Vocabulary
from stream.lexicon import Lexicon
from stream.model import Model
from training.dataset import Item, targets
from training.logistic import SoftLogistic

STRENGTHS: Final = (0.03, 0.1, 0.3, 1.0, 3.0)


class ServedFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Texts to the features of a served model: the transformer of a pipeline whose vocabulary is known by hashes alone."""

    def __init__(self, vocabularies: tuple[Vocabulary, ...]) -> None:
        self.vocabularies = vocabularies

    def fit(self, _texts: Sequence[str], _y: object = None) -> Self:
        """Learns nothing: the vocabularies are given."""
        return self

    def transform(self, texts: Sequence[str]) -> csr_matrix:
        """A sparse matrix float64 [n, features]."""
        found = Lexicon(self.vocabularies).featurise(list(texts))
        size = sum(len(vocabulary.hashes) for vocabulary in self.vocabularies)
        return csr_matrix((found.weights, found.ids, found.start), shape=(len(texts), size))


@dataclass(frozen=True, slots=True)
class Adapted:
    """The moved pipeline, the arrays of its model folder, the strength chosen and the log loss before and after, out of fold."""

    pipeline: Pipeline
    arrays: dict[str, Any]
    strength: float
    loss_before: float
    loss_after: float


def adapt(champion: Model, items: Sequence[Item], seed: int) -> Adapted:
    """`champion` moved by `items`. How far is chosen by the log loss out of fold, "not at all" (strength 0) among the choices."""
    x = ServedFeatures(champion.vocabularies).transform([item.text for item in items])
    y = targets(items, champion.topics)
    before = _loss(_margins(champion, x), y, champion)
    losses = {strength: _out_of_fold(champion, x, y, strength, seed) for strength in STRENGTHS}
    strength = min(losses, key=lambda one: losses[one])
    if losses[strength] >= before:
        strength = 0.0
    fitted = _fitted(champion, x, y, strength)
    pipeline = Pipeline([("features", ServedFeatures(champion.vocabularies)), ("labels", fitted)])
    return Adapted(pipeline, _arrays(champion, fitted), strength, before, min(before, losses.get(strength, before)))


def _fitted(champion: Model, x: csr_matrix, y: Floats, strength: float) -> SoftLogistic:
    # The champion's margins mean what its calibration says of them: learning happens on the calibrated scale.
    weights = champion.weights.astype(np.float64) * champion.slopes
    intercepts = champion.intercepts * champion.slopes + champion.offsets
    fitted = SoftLogistic(strength, prior_weights=weights, prior_intercepts=intercepts)
    if strength == 0.0:
        fitted.coef_, fitted.intercept_, fitted.classes_ = weights.T, intercepts, np.arange(len(intercepts))
        return fitted
    return fitted.fit(x, y)


def _out_of_fold(champion: Model, x: csr_matrix, y: Floats, strength: float, seed: int) -> float:
    margins = np.zeros(y.shape)
    folds: list[tuple[Ints, Ints]] = list(KFold(5, shuffle=True, random_state=seed).split(y))
    for rows, test in folds:
        margins[test] = _fitted(champion, x[rows], y[rows], strength).decision_function(x[test])
    return _mean_loss(margins, y)


def _margins(champion: Model, x: csr_matrix) -> Floats:
    margins: Floats = np.asarray(x @ champion.weights.astype(np.float64)) + champion.intercepts
    return margins


def _loss(margins: Floats, y: Floats, champion: Model) -> float:
    return _mean_loss(margins * champion.slopes + champion.offsets, y)


def _mean_loss(margins: Floats, y: Floats) -> float:
    return float(np.mean(np.logaddexp(0.0, margins) - y * margins))


def _arrays(champion: Model, fitted: SoftLogistic) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for number, vocabulary in enumerate(champion.vocabularies):
        arrays[f"hashes_{number}"], arrays[f"idf_{number}"] = vocabulary.hashes, vocabulary.idf
    return arrays | {
        "weights": np.ascontiguousarray(fitted.coef_.T, dtype=np.float32),
        "intercepts": fitted.intercept_,
        "slopes": np.ones(len(fitted.intercept_)),
        "offsets": np.zeros(len(fitted.intercept_)),
    }
