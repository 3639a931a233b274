"""A model folder is taken whole and unaltered, or refused with a sentence."""

import dataclasses
import hashlib
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from stream.model import CARD, WEIGHTS, BadModel, contributions, load_model, margins, score
from tests.fakes import tiny_model


def write_tiny(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _arrays: None) -> Path:
    """The tiny model as a folder, its arrays changed before the digest is taken."""
    model = tiny_model()
    vocabulary = model.vocabularies[0]
    arrays: dict[str, Any] = {
        "hashes_0": vocabulary.hashes,
        "idf_0": vocabulary.idf,
        "weights": model.weights,
        "intercepts": model.intercepts,
        "slopes": model.slopes,
        "offsets": model.offsets,
    }
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    (folder / CARD).write_bytes(msgspec.json.encode(msgspec.structs.replace(model.card, files={WEIGHTS: digest})))
    return folder


def edit_card(folder: Path, **fields: Any) -> None:
    card = json.loads((folder / CARD).read_bytes())
    (folder / CARD).write_text(json.dumps(card | fields))


def test_a_loaded_model_scores_as_the_one_that_was_written(tmp_path: Path) -> None:
    model, texts = load_model(write_tiny(tmp_path / "m")), ["the airlift", "football", "", "a coup"]

    assert np.array_equal(score(model, texts).topics, score(tiny_model(), texts).topics)


def test_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "m")
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(content)

    with pytest.raises(BadModel, match="sha256"):
        load_model(folder)


@pytest.mark.parametrize("name", [CARD, WEIGHTS])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_tiny(tmp_path / "m")
    (folder / name).unlink()

    with pytest.raises(BadModel, match=name):
        load_model(folder)


class Bomb:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("inside", [True, False], ids=["array of objects", "bare pickle"])
def test_a_pickle_is_refused_and_never_run(tmp_path: Path, inside: bool) -> None:
    fuse = tmp_path / "exploded"
    folder = write_tiny(tmp_path / "m", lambda arrays: arrays.update(weights=np.array([Bomb(fuse)], dtype=object)))
    if not inside:
        (folder / WEIGHTS).write_bytes(pickle.dumps(Bomb(fuse)))
        digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
        edit_card(folder, files={WEIGHTS: digest})

    with pytest.raises(BadModel, match="not plain arrays"):
        load_model(folder)

    assert not fuse.exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"format": 99}, "format 99"),
        ({"topics": []}, "topics"),
        ({"topics": [{"name": "a"}, {"name": "a"}]}, "distinct"),
        ({"topics": [{"name": "Bad Name"}]}, "lower-case"),
        ({"thresholds": {}}, "no threshold"),
        ({"thresholds": 3}, "not a model card"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(tmp_path: Path, fields: dict[str, Any], told: str) -> None:
    folder = write_tiny(tmp_path / "m")
    edit_card(folder, **fields)

    with pytest.raises(BadModel, match=told):
        load_model(folder)


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("weights", np.zeros((3, 6), dtype=np.float32), "weights"),
        ("intercepts", np.full(6, np.nan), "intercepts"),
        ("slopes", np.ones(5), "slopes"),
        ("hashes_0", np.zeros(7), "vocabulary"),
    ],
)
def test_arrays_that_do_not_fit_the_card_are_refused(tmp_path: Path, name: str, array: Any, told: str) -> None:
    folder = write_tiny(tmp_path / "m", lambda arrays: arrays.update({name: array}))

    with pytest.raises(BadModel, match=told):
        load_model(folder)


def test_an_article_scores_the_same_alone_and_in_any_company() -> None:
    texts = [f"item {number} of the airlift, {'hunted ' * (number % 3)}" for number in range(200)]
    model = tiny_model()

    together, alone = score(model, texts), [score(model, [text]) for text in texts]

    assert np.array_equal(together.topics, np.concatenate([one.topics for one in alone]))
    assert np.array_equal(together.urgency, np.concatenate([one.urgency for one in alone]))


def test_urgency_never_rises_from_one_level_to_the_next() -> None:
    urgency = score(tiny_model(), ["hunted", "airlift", "minister", "football", ""]).urgency

    assert (np.diff(urgency, axis=1) <= 0).all()


def test_what_the_pieces_of_a_text_contribute_sums_to_its_margin() -> None:
    model, pieces = tiny_model(), ["The airlift went on. ", "Men were hunted, hunted. ", "ΟΔΟΣ İ football"]

    parts = contributions(model, pieces)

    whole = margins(model, ["".join(pieces)])[0]
    assert np.allclose(parts.sum(axis=0) + model.intercepts, whole)
    assert parts[0, 0] > 0
    assert parts[1, 1] > 0


def test_no_articles_have_no_scores() -> None:
    assert score(tiny_model(), []).topics.shape == (0, 3)


ROUND_UP = "\n".join(
    [
        "The airlift went on: an airlift by day, an airlift by night, one more airlift.",
        "A coup was under way in the capital on Sunday morning, officials said.",
        "After the airlift came another airlift, and one airlift more, airlift on airlift.",
    ]
)


def test_a_topic_that_lives_in_one_paragraph_of_a_round_up_is_found() -> None:
    model = tiny_model()
    lifted = dataclasses.replace(model, card=msgspec.structs.replace(model.card, passage_discount=1.0))

    assert score(model, [ROUND_UP]).topics[0, 2] < 0.5 < score(lifted, [ROUND_UP]).topics[0, 2]


def test_passages_change_neither_short_texts_nor_urgency_nor_lower_anything() -> None:
    model = tiny_model()
    lifted = dataclasses.replace(model, card=msgspec.structs.replace(model.card, passage_discount=1.0))
    texts = ["A coup.", "Football and an airlift.", ROUND_UP, ""]

    before, after = score(model, texts), score(lifted, texts)

    assert np.array_equal(before.topics[[0, 1, 3]], after.topics[[0, 1, 3]])
    assert (after.topics >= before.topics).all()
    assert np.array_equal(before.urgency, after.urgency)
