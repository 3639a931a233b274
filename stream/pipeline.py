"""Pipeline: a batch of messages in, one outcome for each out. Pure: no clock, network, files or logging."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stream.alert import Alert, CapStatus, make_alert
from stream.article import MAX_BYTES, Article, Refused, Status, parse_article
from stream.evidence import evidence_for
from stream.features import full_text
from stream.language import looks_english
from stream.model import Model, score
from stream.verdict import (
    ModelRef,
    Times,
    Verdict,
    article_ref,
    is_alert,
    rounded,
    topics_above,
    urgency_of,
)


@dataclass(frozen=True, slots=True)
class Message:
    """One record as it came: its bytes, its content type where the sender gave one, and when the broker took it."""

    value: bytes
    received: datetime
    content_type: str | None = None
    cap_status: CapStatus = CapStatus.ACTUAL


@dataclass(frozen=True, slots=True)
class Quiet:
    """Labelled, and nobody is woken."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Alerted:
    """Labelled, and worth an alert (or the cancelling of one)."""

    verdict: Verdict
    alert: Alert


Outcome = Quiet | Alerted | Refused


def classify(messages: Sequence[Message], model: Model, now: datetime, *, max_bytes: int = MAX_BYTES) -> list[Outcome]:
    """The outcome of each message, in order. A message that cannot be read is Refused and disturbs no other."""
    parsed = [parse_article(message.value, message.content_type, max_bytes=max_bytes) for message in messages]
    articles = [article for article in parsed if isinstance(article, Article)]
    scores = score(model, [full_text(article.headline, article.text) for article in articles])
    rows = iter(zip(scores.topics.tolist(), scores.urgency.tolist(), strict=True))
    return [
        _outcome(message, article, *next(rows), model=model, now=now) if isinstance(article, Article) else article
        for message, article in zip(messages, parsed, strict=True)
    ]


def _outcome(
    message: Message,
    article: Article,
    topic_p: list[float],
    urgency_p: list[float],
    *,
    model: Model,
    now: datetime,
) -> Outcome:
    verdict = _verdict(article, topic_p, urgency_p, message.received, model, now)
    if not verdict.alert and article.status is not Status.CANCELED:
        return Quiet(verdict)
    evidence = evidence_for(model, article, [topic.topic for topic in verdict.topics])
    return Alerted(verdict, make_alert(verdict, article, evidence, model.card, model.policy, message.cap_status))


def _verdict(
    article: Article,
    topic_p: list[float],
    urgency_p: list[float],
    received: datetime,
    model: Model,
    now: datetime,
) -> Verdict:
    topics = topics_above(model.card, topic_p)
    urgency = urgency_of(model.card.thresholds, urgency_p)
    return Verdict(
        article=article_ref(article),
        topics=topics,
        probabilities={name: rounded(p) for name, p in zip(model.topics, topic_p, strict=True)},
        urgency=urgency,
        alert=is_alert(topics, urgency.level, article.status),
        english=looks_english(article.language, article.text),
        model=ModelRef(model.card.name, model.card.version),
        times=Times(article.published, received, now),
    )
