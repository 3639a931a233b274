"""The estimator that all peers share, and where they read and write. Needs scikit-learn, and nothing of the peers' own."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from scipy.special import expit

BROKERS, GROUP = os.environ["NEWSALERT_BROKERS"], os.environ["NEWSALERT_GROUP"]
ARTICLES, VERDICTS = os.environ["NEWSALERT_ARTICLES_TOPIC"], os.environ["NEWSALERT_VERDICTS_TOPIC"]
BATCH = int(os.environ["NEWSALERT_BATCH_RECORDS"])

_kept = joblib.load(os.environ["BENCH_ESTIMATOR"])
_pipeline, _slopes, _offsets = _kept["pipeline"], _kept["slopes"], _kept["offsets"]


def verdicts(articles: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A verdict for each article, {"id", "probabilities"}: topics, then urgency from medium up."""
    texts = [f"{article.get('headline', '')}\n\n{article['text']}" for article in articles]
    probabilities = expit(_slopes * _pipeline.decision_function(texts) + _offsets)
    rows: list[list[float]] = np.round(probabilities, 4).tolist()
    return [{"id": article["id"], "probabilities": row} for article, row in zip(articles, rows, strict=True)]
