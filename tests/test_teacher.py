"""The teacher: what can be promised without its encoder, whose libraries are too heavy for every test run."""

import gzip
import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.dataset import SoftLine, TextLine, join_soft
from training.teacher import Asked, Course, batches, padded, passages_of, soft_bytes, step_size, worth_asking

COURSE = Course(batch_tokens=100, batch_texts=4, multiple=8)


@given(st.lists(st.integers(1, 96), max_size=300))
def test_every_text_is_in_one_batch_and_no_batch_is_larger_than_told(lengths: list[int]) -> None:
    made = list(batches(lengths, range(len(lengths)), COURSE))

    assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
    assert all(len(batch) <= 4 and padded(max(lengths[i] for i in batch), COURSE) * len(batch) <= 100 for batch in made)


def test_the_rate_climbs_over_the_warm_up_and_falls_to_a_fiftieth() -> None:
    course = Course(warm_up=10)

    assert [step_size(0, 0.0, course), step_size(9, 0.0, course)] == [0.1, 1.0]
    assert step_size(500, 0.5, course) == 0.5
    assert step_size(999, 1.0, course) == 0.02


def test_what_the_teacher_says_is_read_back_by_training(tmp_path: Path) -> None:
    folder = tmp_path
    log_odds = np.array([[0.0, 2.0, -2.0, 1.0, 3.0, -1.0], [-40.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    (folder / "teacher.jsonl.gz").write_bytes(soft_bytes([Asked("a", ""), Asked("b", "")], log_odds))
    (folder / "texts.jsonl").write_text('{"id": "a", "text": "one"}\n{"id": "b", "headline": "H", "text": "two"}\n')

    found = join_soft([folder / "teacher.jsonl.gz"], [folder / "texts.jsonl"], 6, without={"a"})

    assert [(soft.id, soft.text) for soft in found] == [("b", "H\ntwo")]
    assert found[0].p == (0.0, 0.5, 0.5, 0.5, 0.5, 0.5)


def test_a_teacher_never_finds_critical_likelier_than_high() -> None:
    lines = gzip.decompress(soft_bytes([Asked("a", "")], np.array([[0.0, 0.0, 0.0, 1.0, 3.0, 5.0]]))).splitlines()
    p = SoftLine(**json.loads(lines[0])).p

    assert p[3] >= p[4] >= p[5]


def test_the_same_probabilities_make_the_same_file() -> None:
    assert soft_bytes([Asked("a", "")], np.zeros((1, 6))) == soft_bytes([Asked("a", "")], np.zeros((1, 6)))


def test_a_passage_is_read_back_from_its_text_also_where_the_whole_was_labelled(tmp_path: Path) -> None:
    text = TextLine(id="a", headline="H", text="\n".join(f"Line {k} has five words or more." for k in range(4)))
    asked = passages_of([text])
    (tmp_path / "teacher.jsonl.gz").write_bytes(soft_bytes([Asked("a", "whole"), *asked], np.zeros((5, 6))))
    (tmp_path / "texts.jsonl").write_text(json.dumps({"id": "a", "headline": "H", "text": text.text}) + "\n")

    found = join_soft([tmp_path / "teacher.jsonl.gz"], [tmp_path / "texts.jsonl"], 6, without={"a"})

    assert [(soft.text, soft.whole) for soft in found] == [
        (f"Line {k} has five words or more.", False) for k in range(4)
    ]
    assert len({soft.id for soft in found}) == 4


def test_a_short_text_has_no_passages_to_ask_about() -> None:
    assert passages_of([TextLine(id="a", text="Two lines of words are here.\nAnd this is the second.")]) == []


def test_every_passage_that_may_have_a_topic_is_asked_about_and_some_of_the_others() -> None:
    p = np.zeros((1000, 3))
    p[:10, 1] = 0.05

    asking = worth_asking(p, seed=1)

    assert asking[:10].all()
    assert 100 < asking.sum() < 200
