"""Story: which alerts belong together, told from the article alone.

Versions of one article id are one story. Reports of the same event by different senders are not joined yet.
"""

import hashlib
from enum import StrEnum

import msgspec

from stream.article import Article, Status
from stream.urgency import Urgency


class StoryStatus(StrEnum):
    """What an alert does to its story: opens it, moves it on, or takes it back."""

    NEW = "new"
    UPDATE = "update"
    CANCEL = "cancel"


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """The story of an alert. `first_seen` RFC 3339 or null where an earlier version opened it; `sources` of this version."""

    id: str
    status: StoryStatus
    first_seen: str | None
    sources: tuple[str, ...]
    count: int
    urgency_before: Urgency | None


def story_id(article: Article) -> str:
    """The same for every version of an article; 32 hexadecimal digits."""
    return hashlib.sha256(b"story\0" + article.id.encode()).hexdigest()[:32]


def story_of(article: Article, received: str) -> Story:
    """The story that `article` opens, moves on or takes back; `count` is the number of versions so far."""
    status = _status(article)
    return Story(
        id=story_id(article),
        status=status,
        first_seen=received if status is StoryStatus.NEW else None,
        sources=(article.source,) if article.source else (),
        count=article.version,
        urgency_before=None,
    )


def _status(article: Article) -> StoryStatus:
    if article.status is Status.CANCELED:
        return StoryStatus.CANCEL
    return StoryStatus.NEW if article.version == 1 else StoryStatus.UPDATE
