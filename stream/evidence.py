"""Evidence: the sentences that earned a topic, by the exact contributions of the linear model."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from stream.article import Article
from stream.features import Floats, full_text
from stream.model import Model, contributions
from stream.sentences import is_notice, same_said, sentences

MOST: Final = 3  # sentences a topic: what a duty officer reads before deciding
LEAST_SHARE: Final = 0.4  # of the best sentence's weight; below it a sentence is company, not evidence


class Field(StrEnum):
    """The part of the article that a sentence stands in."""

    HEADLINE = "headline"
    TEXT = "text"


class Sentence(msgspec.Struct, frozen=True):
    """A sentence with its place [start, end) in characters of `field`, and what it adds to the topic's log odds."""

    field: Field
    text: str
    start: int
    end: int
    weight: float


class Evidence(msgspec.Struct, frozen=True):
    """The sentences that carry a topic, heaviest first."""

    topic: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """What each sentence of an article adds to each output's log odds: `weights` float64 [sentences, outputs].

    `spans`: (field, start, end) of each in `whole`, the full text, in which the article's own text begins at `shift`.
    """

    whole: str
    shift: int
    spans: tuple[tuple[Field, int, int], ...]
    weights: Floats

    def sentence(self, index: int, weight: float) -> Sentence:
        """One of the sentences, with its place in its field."""
        field, start, end = self.spans[index]
        offset = self.shift if field is Field.TEXT else 0
        return Sentence(field, self.whole[start:end], start - offset, end - offset, round(weight, 4))


def explain(model: Model, article: Article) -> Explained:
    """What each sentence of `article` adds to each output; with the model's intercept the column sums to the log odds."""
    spans = _spans(article)
    whole = full_text(article.headline, article.text)
    ends = [*(start for _, start, _ in spans[1:]), len(whole)] if spans else []  # a kill notice may have no text
    pieces = [whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    weights = contributions(model, pieces) * model.slopes
    return Explained(whole, len(whole) - len(article.text), tuple(spans), weights)


def evidence_for(model: Model, article: Article, topics: Sequence[str]) -> tuple[Evidence, ...]:
    """For each of `topics` the sentences that carry it."""
    explained = explain(model, article)
    return tuple(Evidence(topic, heaviest(explained, model.topics.index(topic))) for topic in topics)


def heaviest(explained: Explained, output: int) -> tuple[Sentence, ...]:
    """The sentences that carry `output`, heaviest first, at most MOST.

    A sentence that stands twice is given once, be it in other case, white space or closing signs; page notices never are.
    """
    column, best = explained.weights[:, output].tolist(), 0.0
    chosen: list[Sentence] = []
    seen: set[str] = set()
    for index in sorted(range(len(column)), key=lambda i: -column[i]):
        weight = column[index]
        if weight <= 0.0 or weight < LEAST_SHARE * best or len(chosen) == MOST:
            break
        sentence = explained.sentence(index, weight)
        said = same_said(sentence.text)
        if said in seen or is_notice(sentence.text):
            continue
        best = best or weight
        seen.add(said)
        chosen.append(sentence)
    return tuple(chosen)


def _spans(article: Article) -> list[tuple[Field, int, int]]:
    """(field, start, end) in the full text; the headline is one sentence."""
    headline = [(Field.HEADLINE, 0, len(article.headline))] if article.headline else []
    shift = len(article.headline) + 1 if article.headline else 0
    return [
        *headline,
        *((Field.TEXT, start + shift, end + shift) for start, end in sentences(article.text)),
    ]
