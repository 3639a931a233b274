"""Export: estimator to model folder, with the proof that serving scores as the estimator does."""

import hashlib
import io
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import joblib
import msgspec
import numpy as np

from stream.features import Block, Floats, full_text, hash_terms
from stream.model import (
    CARD,
    FORMAT,
    STEPS,
    WEIGHTS,
    Card,
    Model,
    OperatingPoint,
    Topic,
    load_model,
    passages_lift,
    score,
)
from training.estimator import Fitted

ESTIMATOR: Final = "estimator.joblib"
PARITY: Final = 1e-6
LIBRARIES: Final = ("scikit-learn", "numpy", "scipy", "joblib", "msgspec")


class BrokenParity(Exception):
    """Serving does not score as the estimator does: a defect of newsalert, never of the data."""


def arrays_of(fitted: Fitted, blocks: Sequence[Block]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of weights.npz: per block sorted `hashes_N` and `idf_N`; stacked `weights` and the output columns."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    union, classifier = fitted.pipeline.named_steps["features"], fitted.pipeline.named_steps["labels"]
    order, offset = [], 0
    for number, (block, (_, vectorizer)) in enumerate(zip(blocks, union.transformer_list, strict=True)):
        names = vectorizer.get_feature_names_out()
        hashes = hash_terms(names, block)
        if len(np.unique(hashes)) < len(hashes):
            raise BrokenParity(f"block {number}: two terms have the same hash; change BASE in stream/features.py")
        by_hash = np.argsort(hashes)
        arrays[f"hashes_{number}"], arrays[f"idf_{number}"] = hashes[by_hash], vectorizer.idf_[by_hash]
        order.append(by_hash + offset)
        offset += len(names)
    coefficients = classifier.coef_.T[np.concatenate(order)]
    return arrays | {
        "weights": np.ascontiguousarray(coefficients, dtype=np.float32),
        "intercepts": classifier.intercept_,
        "slopes": fitted.slopes,
        "offsets": fitted.offsets,
    }


def write_model(
    folder: Path, arrays: dict[str, np.ndarray[Any, Any]], estimator: object | None, card: dict[str, Any]
) -> Card:
    """Writes a model folder; `card` holds the fields of Card but format, files, version and libraries. The version is
    the day it was created and the start of its weights' digest."""
    folder.mkdir(parents=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    (folder / WEIGHTS).write_bytes(buffer.getvalue())
    if estimator is not None:
        joblib.dump(estimator, folder / ESTIMATOR, compress=3)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    whole = Card(
        format=FORMAT,
        version=f"{card['created'][:10].replace('-', '')}-{files[WEIGHTS][:8]}",
        files=files,
        libraries={"python": sys.version.split()[0], **{name: version(name) for name in LIBRARIES}},
        **card,
    )
    (folder / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")
    return whole


def prove_parity(pipeline: Any, slopes: Floats, offsets: Floats, model: Model, texts: Sequence[str]) -> float:
    """The largest difference of a probability between estimator and serving on `texts`; raises BrokenParity above 1e-6."""
    count = len(model.card.topics)

    def log_odds(cut: Sequence[str]) -> Floats:
        found: Floats = pipeline.decision_function(list(cut)) * slopes + offsets
        return found

    whole = log_odds(texts)
    topics = passages_lift(model.card, texts, whole[:, :count], lambda cut: log_odds(cut)[:, :count])
    theirs = np.hstack([_sigmoid(topics), np.minimum.accumulate(_sigmoid(whole[:, count:]), axis=1)])
    ours = score(model, texts)
    gap = float(np.abs(np.hstack([ours.topics, ours.urgency]) - theirs).max()) if len(texts) else 0.0
    if gap > PARITY:
        raise BrokenParity(
            f"serving and estimator differ by {gap:.2e}; this is a defect of newsalert, please report it"
        )
    return gap


def thresholds_for(topics: Sequence[Topic], points: Sequence[OperatingPoint]) -> dict[str, OperatingPoint]:
    """The card's thresholds from points in the order of the outputs."""
    return dict(zip([*(topic.name for topic in topics), *STEPS], points, strict=True))


def load_estimator(folder: Path) -> Any:
    """The fitted scikit-learn pipeline of a model folder, digest checked first. It is a pickle: only training loads it."""
    card = load_model(folder).card
    content = (folder / ESTIMATOR).read_bytes()
    if hashlib.sha256(content).hexdigest() != card.files.get(ESTIMATOR):
        raise BrokenParity(f"{folder / ESTIMATOR}: its sha256 is not the one on the card; it was altered")
    return joblib.load(io.BytesIO(content))


def _sigmoid(margin: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(margin, -60.0, 60.0)))


__all__ = ["arrays_of", "full_text", "load_estimator", "prove_parity", "thresholds_for", "write_model"]
