"""Retrain: one offline run fit for cron: train, compare with the champion on a fixed set, promote if not worse."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from stream.home import find_model, promote
from stream.model import BadModel, Model
from training.dataset import Item
from training.estimator import Recipe, Tell
from training.evaluate import HEADLINES, evaluate
from training.train import load_topics, move, train

MARGIN: Final = 0.01  # what a figure may fall by chance on some hundred items and still count as "not worse"
FIGURES: Final = ("macro F1 of topics", "mean average precision", "alert F1", "urgency kappa, items with a topic")


class Comparison(msgspec.Struct, frozen=True):
    """One figure of champion and candidate on the same items; `worse` by more than the margin."""

    figure: str
    champion: float | None
    candidate: float
    worse: bool


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a retraining run did, for people (`words`) and for programs."""

    champion: str | None
    candidate: str
    promoted: bool
    items: int
    added: int
    judged_on: int
    figures: tuple[Comparison, ...]
    words: str


def retrain(
    taught: Sequence[Item] | None,
    added: Sequence[Item],
    judged: Sequence[Item],
    home: Path,
    recipe: Recipe,
    created: str,
    tell: Tell,
    margin: float = MARGIN,
) -> Decision:
    """Trains, compares on `judged`, promotes if no figure is worse by more than `margin`.

    Without `taught` the champion is moved by `added` (see training.adapt), with it a model is trained from scratch on both.
    Items of `judged` are taken out of what is taught. Raises BadCorpus, BadModel; then the champion has not moved.
    """
    marks, champion = {item.text for item in judged}, _champion(home)
    lesson = [item for item in (*(taught or ()), *added) if item.text not in marks]
    if taught is None and champion is not None:
        trained = move(champion, lesson, home, seed=recipe.seed, created=created, tell=tell)
    else:
        trained = train(lesson, load_topics(), home, recipe=recipe, created=created, tell=tell)
    tell("comparing with the champion")
    figures = compare(champion, find_model(home, trained.version), judged)
    fit = not any(figure.worse for figure in figures) if champion else True
    return _decided(champion, trained.version, fit, figures, (len(lesson), len(added), len(judged)), home, margin)


def compare(
    champion: Model | None, candidate: Model, judged: Sequence[Item], margin: float = MARGIN
) -> tuple[Comparison, ...]:
    """The figures of both models on `judged`."""
    new = evaluate(candidate, judged)
    old = evaluate(champion, judged) if champion else None
    return tuple(_compared(name, HEADLINES[name], old, new, margin) for name in FIGURES)


def _compared(name: str, figure: Any, old: Any, new: Any, margin: float) -> Comparison:
    candidate, champion = figure(new), figure(old) if old else None
    return Comparison(name, champion, candidate, champion is not None and candidate < champion - margin)


def _champion(home: Path) -> Model | None:
    try:
        return find_model(home, None)
    except BadModel:
        return None


def _decided(
    champion: Model | None,
    version: str,
    fit: bool,
    figures: tuple[Comparison, ...],
    counts: tuple[int, int, int],
    home: Path,
    margin: float,
) -> Decision:
    if fit:
        promote(home, version)
    items, added, judged = counts
    worse = ", ".join(f"{one.figure} {one.candidate:.3f} against {one.champion:.3f}" for one in figures if one.worse)
    if champion is None:
        words = f"{version} is the first champion"
    elif fit:
        words = f"{version} promoted: no figure is worse than {champion.card.version}'s by more than {margin:g}"
    else:
        words = f"{version} kept but not promoted, {champion.card.version} stays champion: {worse}"
    return Decision(
        champion=champion.card.version if champion else None,
        candidate=version,
        promoted=fit,
        items=items,
        added=added,
        judged_on=judged,
        figures=figures,
        words=words,
    )
