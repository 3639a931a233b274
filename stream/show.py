"""Show: an alert as a person reads it in a terminal."""

from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from stream.alert import Alert
from stream.story import StoryStatus
from stream.urgency import Urgency

COLOURS: Final = {
    Urgency.CRITICAL: "bold white on red",
    Urgency.HIGH: "bold red",
    Urgency.MEDIUM: "bold yellow",
    Urgency.LOW: "dim",
}
MARKS: Final = {StoryStatus.NEW: "", StoryStatus.UPDATE: " UPDATE", StoryStatus.CANCEL: " CANCELLED"}
LONGEST: Final = 320


def shown(alert: Alert, *, evidence: bool = True) -> RenderableType:
    """Urgency and topics, headline and source, and below them the sentences that earned each topic."""
    head = Text(f" {alert.urgency.level.value.upper()}{MARKS[alert.story.status]} ", COLOURS[alert.urgency.level])
    topics = ", ".join(f"{topic.topic} {topic.probability:.0%}" for topic in alert.topics)
    line = Text.assemble(head, " ", (topics, "bold cyan"), "  ", (_when(alert), "dim"))
    title = Text(f"  {alert.article.headline or '(no headline) ' + alert.article.id[:12]}", "bold")
    if alert.article.source:
        title.append(f"  ({alert.article.source})", "dim")
    return Group(line, title, *(_sentences(alert) if evidence else []), Text(""))


def _sentences(alert: Alert) -> list[Text]:
    rows, given = [], set()
    for found in alert.evidence:
        for sentence in found.sentences:
            if sentence.text in given or sentence.text == alert.article.headline:
                continue
            given.add(sentence.text)
            text = sentence.text if len(sentence.text) <= LONGEST else sentence.text[:LONGEST] + " …"
            rows.append(Text.assemble(("  │ ", "dim"), (f"{found.topic}: ", "cyan"), (text, "italic")))
    return rows


def _when(alert: Alert) -> str:
    moment: datetime = alert.times.published or alert.times.received
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
