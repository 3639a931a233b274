"""Show: an alert, a quiet article and the model's reasons, as a person reads them in a terminal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.text import Text

from stream.alert import Alert
from stream.explain import Explanation, Word
from stream.model import STEPS
from stream.sentences import same_said
from stream.story import StoryStatus
from stream.urgency import Urgency
from stream.verdict import Verdict

COLOURS: Final = {
    Urgency.CRITICAL: "bold white on red",
    Urgency.HIGH: "bold red",
    Urgency.MEDIUM: "bold yellow",
    Urgency.LOW: "dim",
}
MARKS: Final = {StoryStatus.NEW: "", StoryStatus.UPDATE: " UPDATE", StoryStatus.CANCEL: " CANCELLED"}
LONGEST: Final = 320


def shown(alert: Alert, explained: Mapping[str, Explanation] | None = None) -> RenderableType:
    """Urgency and topics, headline and source, and below them the sentences that earned each topic, or all of the reasons."""
    head = Text(f" {alert.urgency.level.value.upper()}{MARKS[alert.story.status]} ", COLOURS[alert.urgency.level])
    topics = ", ".join(f"{topic.topic} {topic.probability:.0%}" for topic in alert.topics)
    line = Text.assemble(head, " ", (topics, "bold cyan"), "  ", (_when(alert), "dim"))
    title = Text(f"  {alert.article.headline or '(no headline) ' + alert.article.id[:12]}", "bold")
    if alert.article.source:
        title.append(f"  ({alert.article.source})", "dim")
    return Group(line, title, *(_sentences(alert) if explained is None else _reasons(explained)), Text(""))


def shown_quiet(verdict: Verdict, explained: Mapping[str, Explanation] | None = None) -> RenderableType:
    """One dim line of an article that wakes nobody, and below it the reasons where they were asked for."""
    topics = ", ".join(topic.topic for topic in verdict.topics) or "no topic"
    line = Text(f"{verdict.urgency.level}, {topics}: {verdict.article.headline or verdict.article.id}", "dim")
    return Group(line, *_reasons(explained or {}), Text(""))


def _reasons(explained: Mapping[str, Explanation]) -> list[Text]:
    """For each topic and step of urgency: how sure and how sure it has to be, words for and against, the top sentence."""
    return [row for name, found in explained.items() for row in _reason(name, found)]


def _reason(name: str, found: Explanation) -> list[Text]:
    title = f"at least {name}" if name in STEPS else name
    rows = [Text.assemble("  ", (title, "bold cyan" if found.reached else "dim"), " ", *_sureness(found))]
    if found.passage:
        place = f"{found.passage.field} {found.passage.start} to {found.passage.end}"
        rows.append(Text.assemble(f"    raised by a passage ({place}): ", (_cut(found.passage.text), "italic")))
    rows += [
        Text.assemble(f"    {side:<9}", (_words(words), colour))
        for side, words, colour in (("for", found.for_, "green"), ("against", found.against, "red"))
        if words
    ]
    rows += [Text.assemble(("    │ ", "dim"), (_cut(sentence.text), "italic")) for sentence in found.sentences[:1]]
    return rows


def _sureness(found: Explanation) -> tuple[str, tuple[str, str]]:
    """Per cent, with no more decimals than it takes to tell what misses its threshold from what meets it."""
    digits = next((d for d in range(4) if f"{found.probability:.{d}%}" != f"{found.threshold:.{d}%}"), 0)
    sure, needed = (f"{value * 100:.{digits}f} %" for value in (found.probability, found.threshold))
    held = found.probability >= found.threshold and not found.reached
    return sure, (f" (needs {needed}{' and the level below' if held else ''})", "dim")


def _words(words: Sequence[Word]) -> str:
    return ", ".join(f"{one.word}{f' ×{one.count}' if one.count > 1 else ''} {one.weight:+.2f}" for one in words)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " …"


def _sentences(alert: Alert) -> list[Text]:
    rows, given = [], {same_said(alert.article.headline or "")}
    for found in alert.evidence:
        for sentence in found.sentences:
            if same_said(sentence.text) in given:
                continue
            given.add(same_said(sentence.text))
            rows.append(Text.assemble(("  │ ", "dim"), (f"{found.topic}: ", "cyan"), (_cut(sentence.text), "italic")))
    return rows


def _when(alert: Alert) -> str:
    moment: datetime = alert.times.published or alert.times.received
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
