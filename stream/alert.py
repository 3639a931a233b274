"""Alert: the record on the topic `alerts`, and its CloudEvents headers."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from stream.article import Article, Status
from stream.evidence import Evidence
from stream.model import Card
from stream.story import Story, StoryStatus, story_of
from stream.urgency import SCALES, Urgency
from stream.verdict import Verdict

CONTENT_TYPE: Final = "application/json"
EVENT_TYPE: Final = "newsalert.alert.v1"
LIKELY: Final = 0.5  # CAP 1.2: Likely is p > ~50 %, Possible is p <= ~50 %


class CapStatus(StrEnum):
    """CAP 1.2 `status`: Exercise and Test must move nobody."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    TEST = "Test"


class Cap(msgspec.Struct, frozen=True, kw_only=True):
    """The alert in the words of the Common Alerting Protocol 1.2 (OASIS), for a downstream that builds CAP messages.

    `responseType` is Monitor or Assess, never Evacuate, which would order the reader to leave; `certainty` is never Observed.
    """

    status: CapStatus
    msgType: str  # noqa: N815  (CAP's own name)
    category: tuple[str, ...]
    urgency: str
    severity: str
    certainty: str
    responseType: str  # noqa: N815  (CAP's own name)
    references: tuple[str, ...]


class Alert(Verdict, frozen=True, kw_only=True):
    """A verdict worth somebody's attention, with the sentences that earned it.

    `id` is made of article id, article version and the model's policy: sent again, it is the same.
    """

    id: str
    evidence: tuple[Evidence, ...]
    story: Story
    places: tuple[str, ...]
    cap: Cap


MESSAGE_TYPES: Final = {
    StoryStatus.NEW: "Alert",
    StoryStatus.UPDATE: "Update",
    StoryStatus.CANCEL: "Cancel",
}


def make_alert(
    verdict: Verdict,
    article: Article,
    evidence: tuple[Evidence, ...],
    card: Card,
    policy: str,
    status: CapStatus,
) -> Alert:
    """The alert for `verdict`; a cancelled article's takes back what went out under its story."""
    story = story_of(article, rfc3339(verdict.times.received))
    return Alert(
        **msgspec.structs.asdict(verdict),
        id=alert_id(article, policy),
        evidence=evidence,
        story=story,
        places=article.places,
        cap=_cap(verdict, story, card, status),
    )


def alert_id(article: Article, policy: str) -> str:
    """32 hexadecimal digits: the same for the same article version and status under the same policy."""
    kill = article.status is Status.CANCELED
    return hashlib.sha256(f"{policy}\0{article.id}\0{article.version}\0{kill:d}".encode()).hexdigest()[:32]


def alert_headers(alert: Alert, source: str, traceparent: bytes | None) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 in Kafka's binary mode; `source` is a URI reference of this service; `traceparent` is passed on."""
    scale = SCALES[alert.urgency.level]
    headers = {
        "content-type": CONTENT_TYPE,
        "ce_specversion": "1.0",
        "ce_id": alert.id,
        "ce_source": source,
        "ce_type": EVENT_TYPE,
        "ce_time": rfc3339(alert.times.classified),
        "ce_subject": alert.story.id,
        "ce_severitytext": alert.urgency.level.value,
        "ce_severitynumber": str(scale.severity_number),
    }
    passed_on = [("traceparent", traceparent)] if traceparent else []
    return [(name, value.encode()) for name, value in headers.items()] + passed_on


def rfc3339(moment: datetime) -> str:
    """UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cap(verdict: Verdict, story: Story, card: Card, status: CapStatus) -> Cap:
    scale = SCALES[verdict.urgency.level]
    return Cap(
        status=status,
        msgType=MESSAGE_TYPES[story.status],
        category=_categories(verdict, card) or ("Other",),
        urgency=scale.cap_urgency,
        severity=scale.cap_severity,
        certainty=_certainty([topic.probability for topic in verdict.topics]),
        responseType="Monitor" if verdict.urgency.level in {Urgency.LOW, Urgency.MEDIUM} else "Assess",
        references=(),
    )


def _categories(verdict: Verdict, card: Card) -> tuple[str, ...]:
    category = {topic.name: topic.cap_category for topic in card.topics}
    return tuple(dict.fromkeys(category[topic.topic] for topic in verdict.topics))


def _certainty(probabilities: Sequence[float]) -> str:
    if not probabilities:
        return "Unknown"
    return "Likely" if max(probabilities) > LIKELY else "Possible"
