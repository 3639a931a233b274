"""Explain: the words of an article that speak for and against each label, by the exact contributions of the linear model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from stream.article import Article
from stream.evidence import Field, Sentence, explain, heaviest
from stream.features import Floats, Ints, full_text
from stream.model import FARTHEST, STEPS, Model, Scores, log_odds_of, passages_lift, score
from stream.sentences import passage_spans
from stream.verdict import topics_above, urgency_of

MOST_WORDS: Final = 8  # on each side; beyond it a word says little and is part of the rest


class Word(msgspec.Struct, frozen=True):
    """A word, lower-cased, how often it stands in the article, and what all of these add to the log odds together."""

    word: str
    count: int
    weight: float


class Passage(msgspec.Struct, frozen=True):
    """The passage that raised a topic, at [start, end) in characters of `field`; `log_odds` is what it raised the topic to."""

    field: Field
    text: str
    start: int
    end: int
    log_odds: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why the model says what it says of one topic or urgency step.

    probability, threshold  what the verdict goes by: raised by `passage`, and for a step of urgency never above the step below
    reached                 the verdict has the topic, or this urgency or more (all steps up to it reach their thresholds)
    log_odds                of the whole text: intercept + rest + the weights of `for` and `against`
    rest                    what all words that are not listed add
    sentences               those that carry the topic or step, heaviest first
    """

    probability: float
    threshold: float
    reached: bool
    log_odds: float
    threshold_log_odds: float
    intercept: float
    for_: tuple[Word, ...] = msgspec.field(name="for")
    against: tuple[Word, ...]
    rest: float
    sentences: tuple[Sentence, ...]
    passage: Passage | None


@dataclass(frozen=True, slots=True)
class Words:
    """The distinct words of a text as they first appear: spelling, count int64 [w], `weights` float64 [w, outputs] in log odds."""

    spelling: tuple[str, ...]
    counts: Ints
    weights: Floats


def explanations(model: Model, article: Article) -> dict[str, Explanation]:
    """An explanation of every topic, also of those below their threshold, and of every step of urgency, in the model's order."""
    text = full_text(article.headline, article.text)
    words, explained = words_of(model, text), explain(model, article)
    whole, scores = log_odds_of(model, [text])[0], score(model, [text])
    probabilities = np.concatenate([scores.topics[0], scores.urgency[0]])
    intercepts = model.intercepts * model.slopes + model.offsets
    reached, raised = _reached(model, scores), _raised_by(model, article, whole)
    found = {}
    for output, name in enumerate((*model.topics, *STEPS)):
        threshold = model.card.thresholds[name].threshold
        for_, against, rest = _sides(words, output)
        found[name] = Explanation(
            probability=float(probabilities[output]),
            threshold=threshold,
            reached=name in reached,
            log_odds=float(whole[output]),
            threshold_log_odds=_log_odds(threshold),
            intercept=float(intercepts[output]),
            for_=for_,
            against=against,
            rest=rest,
            sentences=heaviest(explained, output),
            passage=raised.get(name),
        )
    return found


def words_of(model: Model, text: str) -> Words:
    """What each distinct word of `text` adds to each output; with the intercepts a column sums to the log odds.

    A word gets all that it takes part in, wherever it stands: its own weight, its even share of every n-gram of several words, and
    the n-grams within it. The model knows terms by their hash alone; the spelling is the text's.
    """
    from stream.lexicon import spelt, taking_part  # noqa: PLC0415  (imported when the model was made)

    found, known, parts = model.lexicon.shares(text)
    _, first, which, counts = np.unique(found.hashes, return_index=True, return_inverse=True, return_counts=True)
    occurrence, token = taking_part(known)
    word, ids, share = which[token], known.ids[occurrence], (parts / known.width)[occurrence]
    columns = [  # output by output, so that a long text's occurrences are held once and not once for each output
        np.bincount(word, weights=model.weights[ids, output] * share, minlength=len(first)) * model.slopes[output]
        for output in range(len(model.slopes))
    ]
    order = np.argsort(first)
    return Words(spelt(found, first[order]), counts[order], np.column_stack(columns)[order])


def _sides(words: Words, output: int) -> tuple[tuple[Word, ...], tuple[Word, ...], float]:
    """The heaviest words for and against `output`, heaviest first, and what all others add; of equal words the earlier first."""
    column = words.weights[:, output]
    listed = [
        [
            index
            for index in np.argsort(-sign * column, kind="stable")[:MOST_WORDS].tolist()
            if sign * column[index] > 0.0
        ]
        for sign in (1.0, -1.0)
    ]
    for_, against = (
        tuple(Word(words.spelling[index], int(words.counts[index]), float(column[index])) for index in side)
        for side in listed
    )
    return for_, against, float(np.delete(column, [*listed[0], *listed[1]]).sum())


def _log_odds(probability: float) -> float:
    """Of a threshold: 0 and 1 are as far as the model's own log odds go."""
    if not 0.0 < probability < 1.0:
        return math.copysign(FARTHEST, probability - 0.5)
    return math.log(probability) - math.log1p(-probability)


def _reached(model: Model, scores: Scores) -> set[str]:
    """The topics and steps of urgency that the verdict has."""
    level = urgency_of(model.card.thresholds, scores.urgency[0].tolist()).level
    return {found.topic for found in topics_above(model.card, scores.topics[0].tolist())} | set(STEPS[: level.rank])


def _raised_by(model: Model, article: Article, whole: Floats) -> Mapping[str, Passage]:
    """For each topic that a passage raised above the log odds of the whole text `whole` [outputs]: that passage."""
    text, count = full_text(article.headline, article.text), len(model.topics)

    def topics_log_odds(texts: Sequence[str]) -> Floats:
        return log_odds_of(model, texts)[:, :count]

    lifted = passages_lift(model.card, [text], whole[None, :count], topics_log_odds)[0]
    raised = np.flatnonzero(lifted > whole[:count])
    if not len(raised):
        return {}
    spans = passage_spans(text)
    best = topics_log_odds([text[begin:end] for begin, end in spans]).argmax(axis=0)
    return {model.topics[topic]: _passage(article, spans[best[topic]], float(lifted[topic])) for topic in raised}


def _passage(article: Article, span: tuple[int, int], log_odds: float) -> Passage:
    """`span` counts in the full text; no passage reaches over the line break behind the headline."""
    text = full_text(article.headline, article.text)
    shift = len(text) - len(article.text)
    field, offset = (Field.TEXT, shift) if span[0] >= shift else (Field.HEADLINE, 0)
    return Passage(field, text[slice(*span)], span[0] - offset, span[1] - offset, log_odds)
