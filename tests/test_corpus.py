"""The corpus is this project's own: labelled in full, without real people's names as sources, and shared with no real text."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.features import tokens
from training.dataset import LABELS, load_corpus
from training.train import FIXED, corpus_files, load_topics

NEWS = Path(__file__).parents[2] / "shared" / "news"
TOPICS = [topic.name for topic in load_topics()]
RUN = 8


def test_every_line_is_labelled_and_every_id_stands_once() -> None:
    items = load_corpus([*corpus_files(), FIXED], TOPICS)

    assert len(items) >= 2000
    assert [name for name, count in Counter(item.id for item in items).items() if count > 1] == []


def test_each_topic_and_each_urgency_has_items_to_learn_from_and_to_judge_on() -> None:
    for files, least in ((corpus_files(), 50), ([FIXED], 15)):
        items = load_corpus(files, TOPICS)
        counts = Counter(topic for item in items for topic in item.topics) + Counter(
            str(item.urgency) for item in items
        )
        assert all(counts[name] >= least for name in (*TOPICS, "low", "medium", "high", "critical")), counts


def test_no_item_to_judge_on_is_taught() -> None:
    taught = {item.text for item in load_corpus(corpus_files(), TOPICS)}

    assert [item.id for item in load_corpus([FIXED], TOPICS) if item.text in taught] == []


@pytest.mark.parametrize(
    "agency", ["(Reuters)", "(AP)", "(AFP)", "told Reuters", "told AFP", "told the BBC", "told CNN", "Associated Press"]
)
def test_no_real_outlet_is_the_source_of_generated_text(agency: str) -> None:
    assert [item.id for item in load_corpus([*corpus_files(), FIXED], TOPICS) if agency in item.text] == []


def test_labels_hold_ids_and_labels_and_no_text() -> None:
    for file in LABELS.glob("*.jsonl"):
        for line in file.read_text().splitlines():
            assert set(json.loads(line)) == {"id", "topics", "urgency"}


@pytest.mark.skipif(not NEWS.exists(), reason="the real texts are other people's and not in the project")
def test_no_item_shares_a_run_of_eight_words_with_a_real_text() -> None:
    ours: dict[tuple[str, ...], str] = {}
    for item in load_corpus([*corpus_files(), FIXED], TOPICS):
        ours |= dict.fromkeys(_runs(item.text), item.id)

    assert sorted({ours[run] for text in _real() for run in _runs(text) if run in ours}) == []


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = tokens(text)
    return zip(*(words[start:] for start in range(RUN)), strict=False)


def _real() -> Iterator[str]:
    for file in sorted(NEWS.glob("*.jsonl.gz")):
        with gzip.open(file) as stream:
            for line in stream:
                found = json.loads(line)
                yield f"{found.get('headline') or ''}\n{found['text']}"
    yield (NEWS / "seed.txt").read_text()
