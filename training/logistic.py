"""Logistic regression with soft targets, example weights and a prior mean; a scikit-learn classifier.

With hard targets and no prior it is what `OneVsRestClassifier(LogisticRegression(C=c))` fits (a test holds the two
together). What scikit-learn's own lacks, and this project lives from: targets between 0 and 1 (a teacher's
probabilities) and shrinking towards given weights instead of zero (a user's hundred labels moving a shipped model).
Bishop, Pattern Recognition and Machine Learning (2006), section 4.3.2, with a Gaussian prior of mean w0.
"""

from typing import Any, Final, Self

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from stream.features import Floats

STALLED: Final = 1e-4  # of the tolerance: a step that lowers the loss by a smaller share than that is the last one


class SoftLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """One-vs-rest logistic regression. `c` is the inverse strength of the prior, as scikit-learn's `C`.

    `prior_weights` float [features, outputs] and `prior_intercepts` [outputs]: the prior's mean, zero where not given.
    `tolerance` is the largest gradient left, and 10,000 times the smallest share of the loss that a step must still save.
    The intercept itself is not penalised, unless a prior is given.
    """

    def __init__(
        self,
        c: float | Floats = 1.0,
        prior_weights: Floats | None = None,
        prior_intercepts: Floats | None = None,
        tolerance: float = 1e-3,
    ) -> None:
        self.c = c
        self.prior_weights = prior_weights
        self.prior_intercepts = prior_intercepts
        self.tolerance = tolerance

    def fit(self, x: Any, y: Floats, sample_weight: Floats | None = None) -> Self:
        """`x` sparse [n, features]; `y` [n, outputs] in 0..1, NaN where not known; `sample_weight` [n] or [n, outputs]."""
        x = csr_matrix(x)
        weight = _weights(sample_weight, y, np.asarray(self.c, dtype=np.float64))
        start, pull = self._prior(x.shape[1], y.shape[1])
        found = _minimum(x, np.nan_to_num(y), weight, start, pull, self.tolerance)
        self.coef_, self.intercept_ = found[:-1].T, found[-1]
        self.classes_ = np.arange(y.shape[1])
        return self

    def decision_function(self, x: Any) -> Floats:
        """Log odds, float64 [n, outputs]."""
        margins: Floats = np.asarray(x @ self.coef_.T) + self.intercept_
        return margins

    def predict_proba(self, x: Any) -> Floats:
        """Probabilities, float64 [n, outputs]; before calibration."""
        probabilities: Floats = expit(self.decision_function(x))
        return probabilities

    def _prior(self, features: int, outputs: int) -> tuple[Floats, Floats]:
        """The prior's mean [features + 1, outputs], intercepts last, and each row's pull to it [features + 1, 1]."""
        pull = np.ones((features + 1, 1))
        if self.prior_weights is None:
            pull[-1] = 0.0
            return np.zeros((features + 1, outputs)), pull
        intercepts = np.zeros(outputs) if self.prior_intercepts is None else self.prior_intercepts
        return np.vstack([self.prior_weights, intercepts]), pull


def _weights(given: Floats | None, y: Floats, c: Floats) -> Floats:
    weight = np.ones(y.shape) if given is None else np.broadcast_to(given.reshape(len(y), -1), y.shape)
    return np.where(np.isnan(y), 0.0, weight * c)


def _minimum(x: csr_matrix, y: Floats, weight: Floats, mean: Floats, pull: Floats, tolerance: float) -> Floats:
    """All outputs in one problem: they do not touch each other, and one pass over `x` serves them all.

    `x` is multiplied in single precision, which halves the time (memory is the limit) and moves no weight that matters: its
    rounding lies far below the tolerance. The sums over items stay double.
    """
    x = x.astype(np.float32, copy=False)
    x_t = x.T  # read by columns, which takes no copy of it

    def loss(flat: Floats) -> tuple[float, Floats]:
        w = flat.reshape(mean.shape)
        margin = (x @ w[:-1].astype(np.float32)).astype(np.float64) + w[-1]
        away = w - mean
        value = (weight * (np.logaddexp(0.0, margin) - y * margin)).sum() + 0.5 * (pull * away * away).sum()
        residual = weight * (expit(margin) - y)
        gradient = pull * away
        gradient[:-1] += x_t @ residual.astype(np.float32)
        gradient[-1] += residual.sum(axis=0)
        return float(value), gradient.ravel()

    options = {"maxiter": 1000, "maxfun": 2000, "gtol": tolerance, "ftol": tolerance * STALLED}
    found = minimize(loss, mean.ravel(), jac=True, method="L-BFGS-B", options=options)
    best: Floats = found.x.reshape(mean.shape)
    return best
