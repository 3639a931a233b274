"""Estimator: the scikit-learn pipeline, its search, its calibration. Where a model is made, and the source of truth."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import joblib
import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import normalize

from stream.features import Block, Floats, Ints, Kind, analyzer
from training.logistic import SoftLogistic

Tell = Callable[[str], None]
PORTION: Final = 2000  # texts of a teacher read at a time
BLOCKS: Final = (Block(Kind.WORD, 1, 2), Block(Kind.SUBWORD, 3, 5))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an estimator is made. `features` bounds the terms kept in all; `c_grid` is searched by mean average precision."""

    blocks: tuple[Block, ...] = BLOCKS
    features: int = 50_000
    fewest_items: int = 3  # a term in fewer items is not looked at
    c_grid: tuple[float, ...] = (2.0, 4.0)
    folds: int = 3
    seed: int = 1
    topic_rule: str = "maximum f1"
    also_weight: float = (
        4.0  # of a written item beside real ones: 0 to 4 measured alike, and round-ups of three topics live on it
    )
    passage_discount: (
        float | None
    ) = -0.5  # see stream.model.score; 0.5 to -0.5 cost 0.005 of F1, and a round-up keeps its third topic
    soft_weight: float = 1.0  # of a text that a teacher labelled: it was sure of nearly all that is left to it
    passage_weight: float = 0.3  # of a passage that a teacher labelled; 0.2 and 0.5 measured alike
    topicless_urgency: float = 0.1  # weight, in the urgency outputs, of an item without a topic
    jobs: int = 2


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt from: `texts`, `targets` and `weights` float64 [n, outputs] in 0..1 (NaN: unknown), `groups` int64 [n].

    `held` names the rows that count in search, calibration and thresholds (the others only teach). The first `labelled` rows
    were labelled by reading, the others by a teacher.
    """

    texts: Sequence[str]
    targets: Floats
    weights: Floats
    groups: Ints
    held: Ints
    labelled: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A pipeline with its calibration, and the out-of-fold margins float64 [held, outputs] that calibration was fitted on."""

    pipeline: Pipeline
    slopes: Floats
    offsets: Floats
    c: float
    out_of_fold: Floats
    search: dict[str, float] = field(default_factory=dict)


def fit(lesson: Lesson, recipe: Recipe, tell: Tell) -> Fitted:
    """Search, calibrate and fit on everything; the same for the same lesson, recipe and library versions.

    Terms are counted and chosen on the labelled texts; the teacher's texts are read for the chosen ones alone, which keeps the
    time and memory of tens of thousands of them small.
    """
    features, narrow = _chosen(lesson, recipe, tell)
    tell(f"searching C among {', '.join(f'{c:g}' for c in recipe.c_grid)}")
    found = _out_of_fold(narrow, lesson, _folds(lesson, recipe), recipe)
    search = {f"{c:g}": _mean_ap(lesson, margins) for c, margins in zip(recipe.c_grid, found, strict=True)}
    c, margins = max(zip(recipe.c_grid, found, strict=True), key=lambda pair: search[f"{pair[0]:g}"])
    tell(f"fitting on all items, C = {c:g}")
    labels = SoftLogistic(c).fit(narrow, lesson.targets, lesson.weights)
    slopes, offsets = calibrate(margins, lesson.targets[lesson.held], lesson.weights[lesson.held])
    return Fitted(Pipeline([("features", features), ("labels", labels)]), slopes, offsets, c, margins, search)


def taught(lesson: Lesson, recipe: Recipe, tell: Tell) -> Pipeline:
    """The pipeline of `fit` at the first C of the grid, without search and calibration."""
    features, narrow = _chosen(lesson, recipe, tell)
    labels = SoftLogistic(recipe.c_grid[0]).fit(narrow, lesson.targets, lesson.weights)
    return Pipeline([("features", features), ("labels", labels)])


def _chosen(lesson: Lesson, recipe: Recipe, tell: Tell) -> tuple[FeatureUnion, csr_matrix]:
    """The vectorisers with the chosen terms, and what they make of the lesson's texts."""
    tell("counting terms")
    x, vectorizers = _all_terms(lesson.texts[: lesson.labelled], recipe)
    bounds = np.cumsum([0, *(len(v.vocabulary_) for v in vectorizers)])
    tell(f"choosing {recipe.features} of {x.shape[1]} terms")
    kept = _selected(x, lesson.targets[: lesson.labelled], lesson.weights[: lesson.labelled], recipe)
    features = _features(vectorizers, bounds, kept, recipe)
    narrow = _renormalised(x, bounds, kept).astype(np.float32)  # as it is multiplied in the end, in half the memory
    del x
    if lesson.labelled < len(lesson.texts):
        tell(f"reading {len(lesson.texts) - lesson.labelled} texts of the teacher")
        narrow = vstack([narrow, _read(features, lesson.texts[lesson.labelled :], recipe)]).tocsr()
    return features, narrow


def calibrate(margins: Floats, truth: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Slope and offset for each output so that sigmoid(slope * margin + offset) is a probability (Platt, 1999)."""
    pairs = []
    for k in range(margins.shape[1]):
        labels = truth[:, k] >= 0.5
        if labels.all() or not labels.any():
            pairs.append((1.0, 0.0))
            continue
        fitted = LogisticRegression(C=1e4).fit(margins[:, [k]], labels, sample_weight=weights[:, k])
        pairs.append((max(float(fitted.coef_[0, 0]), 1e-3), float(fitted.intercept_[0])))
    slopes, offsets = zip(*pairs, strict=True)
    return np.array(slopes), np.array(offsets)


def calibrated(margins: Floats, slopes: Floats, offsets: Floats) -> Floats:
    """Probabilities of margins [n, outputs]."""
    return 1.0 / (1.0 + np.exp(-np.clip(margins * slopes + offsets, -60.0, 60.0)))


def _all_terms(texts: Sequence[str], recipe: Recipe) -> tuple[csr_matrix, list[TfidfVectorizer]]:
    vectorizers = [
        TfidfVectorizer(analyzer=analyzer(block), sublinear_tf=True, min_df=recipe.fewest_items, dtype=np.float64)
        for block in recipe.blocks
    ]
    fitted = joblib.Parallel(n_jobs=recipe.jobs)(
        joblib.delayed(_fit_transform)(vectorizer, texts) for vectorizer in vectorizers
    )
    return hstack([x for x, _ in fitted]).tocsr(), [vectorizer for _, vectorizer in fitted]


def _fit_transform(vectorizer: TfidfVectorizer, texts: Sequence[str]) -> tuple[csr_matrix, TfidfVectorizer]:
    return vectorizer.fit_transform(texts), vectorizer


def _folds(lesson: Lesson, recipe: Recipe) -> list[tuple[Ints, Ints]]:
    """(rows to learn from, positions within `held` to score) of each fold; near-duplicates stay on one side."""
    first = np.nan_to_num(lesson.targets[lesson.held]) >= 0.5
    strata = np.where(first.any(axis=1), first.argmax(axis=1) + 1, 0)
    splitter = StratifiedGroupKFold(recipe.folds, shuffle=True, random_state=recipe.seed)
    folds = []
    for _, test in splitter.split(lesson.held, strata, lesson.groups[lesson.held]):
        away = np.isin(lesson.groups, lesson.groups[lesson.held[test]])
        folds.append((np.flatnonzero(~away), test))
    return folds


def _out_of_fold(x: csr_matrix, lesson: Lesson, folds: list[tuple[Ints, Ints]], recipe: Recipe) -> list[Floats]:
    """For each C of the grid the margins [held, outputs], each row's by weights that saw neither it nor its twins.

    The terms were chosen on all items: weights are what is held out.
    """
    margins = [np.zeros((len(lesson.held), lesson.targets.shape[1])) for _ in recipe.c_grid]
    jobs = [(c, rows, test) for rows, test in folds for c in range(len(recipe.c_grid))]
    # In threads: nearly all of it is scipy's products, which let other threads run, and processes would copy the features.
    scored = joblib.Parallel(n_jobs=recipe.jobs, prefer="threads")(
        joblib.delayed(_score_fold)(x, lesson, rows, test, recipe.c_grid[c]) for c, rows, test in jobs
    )
    for (c, _, test), found in zip(jobs, scored, strict=True):
        margins[c][test] = found
    return margins


def _score_fold(x: csr_matrix, lesson: Lesson, rows: Ints, test: Ints, c: float) -> Floats:
    fitted = SoftLogistic(c).fit(x[rows], lesson.targets[rows], lesson.weights[rows])
    return fitted.decision_function(x[lesson.held[test]])


def _selected(x: csr_matrix, y: Floats, weights: Floats, recipe: Recipe) -> Ints:
    """The columns kept: those whose weight times spread, over all outputs, is largest in a rough first fit."""
    if x.shape[1] <= recipe.features:
        return np.arange(x.shape[1])
    first = SoftLogistic(recipe.c_grid[0], tolerance=0.1).fit(x, y, weights)
    spread = np.sqrt(np.asarray(x.multiply(x).mean(axis=0)).ravel())
    worth = np.abs(first.coef_).sum(axis=0) * spread
    return np.sort(np.argsort(-worth, kind="stable")[: recipe.features])


def _renormalised(x: csr_matrix, bounds: Ints, kept: Ints) -> csr_matrix:
    """The kept columns, each block's rows of length 1 again, as vectorisers with the kept vocabulary would give."""
    parts = [normalize(x[:, kept[(kept >= begin) & (kept < end)]]) for begin, end in itertools.pairwise(bounds)]
    narrow: csr_matrix = hstack(parts).tocsr()
    return narrow


def _features(vectorizers: Sequence[TfidfVectorizer], bounds: Ints, kept: Ints, recipe: Recipe) -> FeatureUnion:
    """The vectorisers narrowed to the kept terms, with the document frequencies that they counted."""
    parts: list[tuple[str, Any]] = []
    for number, (block, vectorizer) in enumerate(zip(recipe.blocks, vectorizers, strict=True)):
        mine = kept[(kept >= bounds[number]) & (kept < bounds[number + 1])] - bounds[number]
        narrow = TfidfVectorizer(
            analyzer=analyzer(block), sublinear_tf=True, vocabulary=list(vectorizer.get_feature_names_out()[mine])
        )
        narrow.idf_ = vectorizer.idf_[mine]
        parts.append((f"{block.kind}_{block.shortest}_{block.longest}", narrow))
    return FeatureUnion(parts)


def _read(features: FeatureUnion, texts: Sequence[str], recipe: Recipe) -> csr_matrix:
    shares = [texts[begin : begin + PORTION] for begin in range(0, len(texts), PORTION)]
    found = joblib.Parallel(n_jobs=recipe.jobs)(joblib.delayed(features.transform)(share) for share in shares)
    return vstack([one.astype(np.float32) for one in found]).tocsr()


def _mean_ap(lesson: Lesson, margins: Floats) -> float:
    truth = lesson.targets[lesson.held] >= 0.5
    scores = [average_precision_score(truth[:, k], margins[:, k]) for k in range(truth.shape[1]) if truth[:, k].any()]
    return float(np.mean(scores))
