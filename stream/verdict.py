"""Verdict: what the model says of one article, as the record that goes out for every article."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from stream.article import Article, Status
from stream.model import STEPS, Card, OperatingPoint
from stream.urgency import LEVELS, SCALES, Urgency


class ArticleRef(msgspec.Struct, frozen=True, kw_only=True):
    """The article a verdict is about, without its text."""

    id: str
    version: int
    headline: str | None
    source: str | None
    published: datetime | None
    language: str | None
    url: str | None


class TopicVerdict(msgspec.Struct, frozen=True):
    """A topic the article has: calibrated probability (0..1) and IPTC Media Topic codes (`medtop:`)."""

    topic: str
    probability: float
    iptc: tuple[str, ...]


class UrgencyVerdict(msgspec.Struct, frozen=True):
    """The level; the calibrated probability of at least this level (for low: of low); the level as ninjs urgency 1..8."""

    level: Urgency
    probability: float
    ninjs: int


class ModelRef(msgspec.Struct, frozen=True):
    """Which model said it."""

    name: str
    version: str


class Times(msgspec.Struct, frozen=True):
    """RFC 3339: when the article says it was published, when the broker (or the command) took it, when it was classified."""

    published: datetime | None
    received: datetime
    classified: datetime


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The record on the topic `verdicts`: one for every article that was not refused."""

    article: ArticleRef
    topics: tuple[TopicVerdict, ...]
    probabilities: dict[str, float]
    urgency: UrgencyVerdict
    alert: bool
    english: bool  # false: labelled all the same, by a model that was taught English only
    model: ModelRef
    times: Times


def article_ref(article: Article) -> ArticleRef:
    """The reference to `article` that its verdict carries."""
    return ArticleRef(
        id=article.id,
        version=article.version,
        headline=article.headline,
        source=article.source,
        published=article.published,
        language=article.language,
        url=article.url,
    )


def topics_above(card: Card, probabilities: Sequence[float]) -> tuple[TopicVerdict, ...]:
    """The topics whose probability reaches their threshold, likeliest first."""
    above = [
        TopicVerdict(topic.name, rounded(p), topic.iptc)
        for topic, p in zip(card.topics, probabilities, strict=True)
        if p >= card.thresholds[topic.name].threshold
    ]
    return tuple(sorted(above, key=lambda verdict: -verdict.probability))


def urgency_of(thresholds: dict[str, OperatingPoint], at_least: Sequence[float]) -> UrgencyVerdict:
    """The highest level of which every step up to it reaches its threshold; `at_least`: p of medium, high, critical or more."""
    rank = 0
    while rank < len(STEPS) and at_least[rank] >= thresholds[STEPS[rank]].threshold:
        rank += 1
    level = LEVELS[rank]
    probability = at_least[rank - 1] if rank else 1.0 - at_least[0]
    return UrgencyVerdict(level, rounded(probability), SCALES[level].ninjs)


def is_alert(topics: Sequence[TopicVerdict], urgency: Urgency, status: Status) -> bool:
    """Worth an alert: a topic, at least medium, and not under embargo (`withheld`) or killed (`canceled`)."""
    return bool(topics) and urgency is not Urgency.LOW and status is Status.USABLE


def rounded(probability: float) -> float:
    """Six decimals: what parity promises, and no noise beyond it in the records."""
    return round(float(probability), 6)


verdict_bytes = msgspec.json.Encoder().encode
"""A verdict or an alert as UTF-8 JSON."""
