"""Train: items in, model folder out."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from stream.features import Floats
from stream.model import BadModel, Card, Model, OperatingPoint, Topic, load_model, score
from training.adapt import Adapted, adapt
from training.dataset import CORPUS, BadCorpus, Item, Soft, corpus_digest, distinct, groups, load_corpus, targets
from training.estimator import Fitted, Lesson, Recipe, Tell, calibrated, fit
from training.evaluate import measures, with_intervals
from training.export import arrays_of, prove_parity, thresholds_for, write_model
from training.thresholds import choose_all

TOPICS: Final = Path(__file__).parent / "topics.json"
FIXED: Final = CORPUS / "fixed.jsonl"
PROVED: Final = 2000  # items, spread over all, on which parity is proved before a model is written
FEWEST: Final = 20  # items; below it folds and calibration mean nothing


@dataclass(frozen=True, slots=True)
class Trained:
    """A new model folder, what it measured out of fold, and how far serving is from the estimator (probability)."""

    folder: Path
    version: str
    metrics: dict[str, Any]
    parity: float


def load_topics(file: Path = TOPICS) -> tuple[Topic, ...]:
    """The topics to train, with their codes in other people's vocabularies. Raises BadCorpus."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[Topic, ...])
    except (OSError, msgspec.MsgspecError) as fault:
        raise BadCorpus(f"{file}: {fault}; it is a list of {{name, iptc, cap_category}}") from fault


def corpus_files(folder: Path = CORPUS) -> list[Path]:
    """The corpus files that teach: all of `folder` but the fixed evaluation set."""
    return [file for file in sorted(folder.glob("*.jsonl")) if file.name != FIXED.name]


def fixed_set(topics: Sequence[Topic], file: Path = FIXED) -> list[Item]:
    """The items that no model of this project is ever trained on, to compare models by."""
    return load_corpus([file], [topic.name for topic in topics])


def train(
    items: Sequence[Item],
    topics: Sequence[Topic],
    home: Path,
    *,
    recipe: Recipe,
    created: str,
    tell: Tell,
    choose_on: Sequence[Item] = (),
    also: Sequence[Item] = (),
    soft: Sequence[Soft] = (),
) -> Trained:
    """Trains on `items`, writes the model folder HOME/versions/VERSION and proves parity on the items.

    `also` and a teacher's `soft` items teach with the recipe's lesser weights, and count neither in search nor in calibration.
    Thresholds are chosen on `choose_on`, or out of fold where that is empty. `created` is RFC 3339. Raises BadCorpus where
    there is too little to learn from, BadModel where the version is there already with other content.
    """
    items = distinct(items)
    names = [topic.name for topic in topics]
    _check_enough(items, names)
    truth = targets(items, names)
    fitted = fit(lesson_of(items, also, soft, names, recipe), recipe, tell)
    out_of_fold = calibrated(fitted.out_of_fold, fitted.slopes, fitted.offsets)
    tell("writing and proving parity")
    with tempfile.TemporaryDirectory(dir=_versions(home)) as scratch:
        folder = Path(scratch) / "model"
        card = _card(fitted, items, topics, recipe, created)
        card["corpus"] |= {"also": len(also), "soft": len(soft)} if also or soft else {}
        write_model(folder, arrays_of(fitted, recipe.blocks), None, card | {"thresholds": _halves(topics)})
        points = _points(load_model(folder), names, choose_on, (out_of_fold, truth), recipe)
        card |= {"thresholds": points}
        return _finished(home, scratch, fitted, items, card, recipe, (out_of_fold, truth), choose_on)


def move(champion: Model, items: Sequence[Item], home: Path, *, seed: int, created: str, tell: Tell) -> Trained:
    """The champion moved by `items` (see training.adapt), in HOME/versions/VERSION, parity proved. Raises BadCorpus."""
    items = distinct(items)
    if len(items) < FEWEST:
        raise BadCorpus(f"{len(items)} items, too few to learn from: label {FEWEST} at least")
    tell(f"moving {champion.card.version} by {len(items)} items")
    adapted = adapt(champion, items, seed)
    with tempfile.TemporaryDirectory(dir=_versions(home)) as scratch:
        folder, count = Path(scratch) / "whole", len(champion.intercepts)
        saved = {"pipeline": adapted.pipeline, "slopes": np.ones(count), "offsets": np.zeros(count)}
        whole = write_model(folder, adapted.arrays, saved, _moved_card(champion.card, adapted, items, seed, created))
        texts = [item.text for item in items]
        gap = prove_parity(adapted.pipeline, np.ones(count), np.zeros(count), load_model(folder), texts)
        return Trained(_placed(home, folder, whole.version), whole.version, whole.metrics, gap)


def _moved_card(old: Card, adapted: Adapted, items: Sequence[Item], seed: int, created: str) -> dict[str, Any]:
    found = {
        "strength": adapted.strength,
        "log_loss_before": adapted.loss_before,
        "log_loss_after": adapted.loss_after,
    }
    return {
        "name": old.name,
        "created": created,
        "topics": old.topics,
        "blocks": old.blocks,
        "passage_discount": old.passage_discount,
        "thresholds": old.thresholds,
        "corpus": {"from": old.version, "items": len(items), "sha256": corpus_digest(items), "first": old.corpus},
        "settings": old.settings | {"seed": seed},
        "metrics": {"adapted": found},
    }


def _placed(home: Path, folder: Path, version: str) -> Path:
    """Moves a finished folder to its place in `home`; the same model may be there already, another may not."""
    place = home / "versions" / version
    if not place.exists():
        folder.rename(place)
    elif load_model(place).policy != load_model(folder).policy:
        raise BadModel(f"{place}: exists with other content; remove it and train again")
    return place


def _finished(
    home: Path,
    scratch: str,
    fitted: Fitted,
    items: Sequence[Item],
    card: dict[str, Any],
    recipe: Recipe,
    held: tuple[Floats, Floats],
    choose_on: Sequence[Item],
) -> Trained:
    """Writes the folder whole beside its place, proves parity on it, and only then moves it there."""
    out_of_fold, truth = held
    arrays = arrays_of(fitted, recipe.blocks)
    count = len(card["topics"])
    draft = write_model(Path(scratch) / "draft", arrays, None, card)
    found = measures(draft, out_of_fold[:, :count], np.minimum.accumulate(out_of_fold[:, count:], axis=1), truth)
    metrics = {"out_of_fold": found}
    if choose_on:
        metrics["set_apart"] = with_intervals(load_model(Path(scratch) / "draft"), choose_on)
    folder = Path(scratch) / "whole"
    whole = write_model(folder, arrays, _saved(fitted), card | {"metrics": metrics})
    texts = [item.text for item in items[:: max(1, len(items) // PROVED)]]
    gap = prove_parity(fitted.pipeline, fitted.slopes, fitted.offsets, load_model(folder), texts)
    return Trained(_placed(home, folder, whole.version), whole.version, found, gap)


def _saved(fitted: Fitted) -> dict[str, Any]:
    return {"pipeline": fitted.pipeline, "slopes": fitted.slopes, "offsets": fitted.offsets}


def lesson_of(
    items: Sequence[Item], also: Sequence[Item], soft: Sequence[Soft], names: Sequence[str], recipe: Recipe
) -> Lesson:
    """What is learnt from `items`, with `also` and a teacher's `soft` beside them at the recipe's weights."""
    everything: list[Item | Soft] = [*items, *also, *soft]
    taught = np.array([one.p for one in soft], dtype=np.float64).reshape(len(soft), len(names) + 3)
    wanted = np.vstack([targets([*items, *also], names), taught])
    of_soft = [recipe.soft_weight if one.whole else recipe.passage_weight for one in soft]
    weights = np.array([*[1.0] * len(items), *[recipe.also_weight] * len(also), *of_soft])
    return Lesson(
        texts=[one.text for one in everything],
        targets=wanted,
        weights=_output_weights(wanted, weights, len(names), recipe),
        groups=groups(everything),
        held=np.arange(len(items)),
        labelled=len(items) + len(also),
    )


def _output_weights(wanted: Floats, weights: Floats, topics: int, recipe: Recipe) -> Floats:
    """The weight of each item in each output [n, outputs]: in those of urgency, an item counts as far as it has a topic."""
    has_topic = wanted[:, :topics].max(axis=1, initial=0.0)
    urgency = recipe.topicless_urgency + (1.0 - recipe.topicless_urgency) * has_topic
    found: Floats = weights[:, None] * np.hstack(
        [np.ones((len(wanted), topics)), np.repeat(urgency[:, None], 3, axis=1)]
    )
    return found


def _versions(home: Path) -> Path:
    folder = home / "versions"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check_enough(items: Sequence[Item], names: Sequence[str]) -> None:
    short = [name for name in names if sum(name in item.topics for item in items) < FEWEST]
    if len(items) < FEWEST or short:
        raise BadCorpus(
            f"{len(items)} items, too few of {', '.join(short) or 'all'}: a topic needs {FEWEST} items at least, label more"
        )


def _halves(topics: Sequence[Topic]) -> dict[str, OperatingPoint]:
    return thresholds_for(topics, [OperatingPoint(0.5, "not chosen yet")] * (len(topics) + 3))


def _points(
    model: Model, names: Sequence[str], choose_on: Sequence[Item], held: tuple[Floats, Floats], recipe: Recipe
) -> dict[str, OperatingPoint]:
    p, truth = held
    where = "out of fold"
    if choose_on:
        scores = score(model, [item.text for item in choose_on])
        p, truth = np.hstack([scores.topics, scores.urgency]), targets(choose_on, names)
        where = f"on {len(choose_on)} items set apart"
    points = choose_all(p, truth, recipe.topic_rule)
    told = [OperatingPoint(point.threshold, f"{point.chosen_by}, {where}") for point in points]
    return thresholds_for(model.card.topics, told)


def _card(
    fitted: Fitted, items: Sequence[Item], topics: Sequence[Topic], recipe: Recipe, created: str
) -> dict[str, Any]:
    return {
        "name": "newsalert",
        "created": created,
        "topics": tuple(topics),
        "blocks": recipe.blocks,
        "passage_discount": recipe.passage_discount,
        "corpus": {"items": len(items), "sha256": corpus_digest(items)},
        "settings": {
            key: value for key, value in asdict(recipe).items() if key not in {"blocks", "jobs", "passage_discount"}
        }
        | {"c": fitted.c, "search_mean_average_precision": fitted.search},
    }
