"""Dataset: labelled items loaded, checked line by line, de-duplicated, and split with near-duplicates together."""

import gzip
import hashlib
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from stream.features import Floats, Ints, full_text, tokens
from stream.urgency import LEVELS, Urgency

CORPUS: Final = Path(__file__).parent / "corpus"
LABELS: Final = Path(__file__).parent / "labels"
SHINGLE: Final = 5  # words; two items that share SHARED of them in a row are near-duplicates
SHARED: Final = 3


class BadCorpus(Exception):
    """Labelled text that cannot be trained on; names file, line and field of every fault found."""


class LabelledLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a corpus file as people write it: `text`, `topics` and `urgency` are needed."""

    text: str
    topics: tuple[str, ...]
    urgency: Urgency
    id: str | None = None
    headline: str | None = None
    published: str | None = None
    source: str | None = None


class LabelLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a label file: the text lives elsewhere, under the same id."""

    id: str
    topics: tuple[str, ...]
    urgency: Urgency


class TextLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a text file: what a label file's ids point to."""

    id: str
    text: str
    headline: str | None = None
    published: str | None = None
    source: str | None = None


class SoftLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a teacher's file: its probability of each topic and of urgency at least medium, high, critical.

    With a `span` it speaks of a passage alone: the characters [begin, end) of the text's `text`.
    """

    id: str
    p: tuple[float, ...]
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Soft:
    """A text, or a passage of one, with a teacher's probabilities in place of labels."""

    id: str
    text: str
    p: tuple[float, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Item:
    """A labelled text: what is scored of it, its topics and its urgency."""

    id: str
    text: str
    topics: tuple[str, ...]
    urgency: Urgency
    published: str | None = None
    source: str | None = None


def load_corpus(files: Iterable[Path], topics: Sequence[str]) -> list[Item]:
    """The items of JSON Lines files, plain or gzip. Raises BadCorpus with every faulty line, not only the first."""
    items, faults = [], []
    for file in files:
        for number, line in lines(file):
            try:
                items.append(_item(msgspec.json.decode(line, type=LabelledLine), topics))
            except (msgspec.MsgspecError, ValueError) as fault:
                faults.append(f"{file}:{number}: {fault}")
    if faults:
        raise BadCorpus(_told(faults))
    return items


def join_texts(labels: Iterable[Path], texts: Iterable[Path], topics: Sequence[str]) -> list[Item]:
    """Items whose labels and texts live in different files, joined by id; labels without a text are left out."""
    wanted: dict[str, LabelLine] = {}
    for file in labels:
        for number, line in lines(file):
            try:
                label = msgspec.json.decode(line, type=LabelLine)
            except msgspec.MsgspecError as fault:
                raise BadCorpus(f"{file}:{number}: {fault}") from fault
            wanted[label.id] = label
    found = []
    for file in texts:
        for _, line in lines(file):
            text = msgspec.json.decode(line, type=TextLine)
            if (known := wanted.pop(text.id, None)) is not None:
                found.append(_joined(text, known, topics))
    return found


def join_soft(files: Iterable[Path], texts: Iterable[Path], outputs: int, without: Container[str]) -> list[Soft]:
    """A teacher's probabilities with their texts, joined by id; whole texts `without` and those without a text are left out."""
    wanted: dict[str, list[SoftLine]] = defaultdict(list)
    for file in files:
        for number, line in lines(file):
            soft = msgspec.json.decode(line, type=SoftLine)
            if len(soft.p) != outputs:
                raise BadCorpus(
                    f"{file}:{number}: {len(soft.p)} probabilities, {outputs} wanted: see training/topics.json"
                )
            if soft.span or soft.id not in without:
                wanted[soft.id].append(soft)
    found = []
    for file in texts:
        for _, line in lines(file):
            text = msgspec.json.decode(line, type=TextLine)
            found += [_taught(text, soft) for soft in wanted.pop(text.id, ())]
    return found


def _taught(text: TextLine, soft: SoftLine) -> Soft:
    if soft.span is None:
        return Soft(text.id, full_text(text.headline, text.text), soft.p)
    begin, end = soft.span
    return Soft(f"{text.id}#{begin}-{end}", text.text[begin:end], soft.p, whole=False)


def lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """(number from 1, bytes) of each line that is not blank; `.gz` is unpacked. Raises BadCorpus where it cannot be read."""
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield number, line
    except (OSError, EOFError) as fault:
        raise BadCorpus(f"{file}: cannot be read: {fault}") from fault


def distinct(items: Sequence[Item]) -> list[Item]:
    """The items without those whose text (white space and case aside) stood before."""
    seen, kept = set(), []
    for item in items:
        mark = hashlib.sha256(" ".join(tokens(item.text)).encode()).digest()
        if mark not in seen:
            seen.add(mark)
            kept.append(item)
    return kept


def targets(items: Sequence[Item], topics: Sequence[str]) -> Floats:
    """What to learn, float64 [n, topics + 3] of 0 and 1: each topic, then urgency at least medium, high, critical."""
    rows = [
        [
            *(topic in item.topics for topic in topics),
            *(item.urgency.rank >= k for k in range(1, len(LEVELS))),
        ]
        for item in items
    ]
    return np.array(rows, dtype=np.float64).reshape(len(items), len(topics) + len(LEVELS) - 1)


def groups(items: Sequence[Item | Soft]) -> Ints:
    """A group number for each item, int64 [n]: items that share runs of words get the same, so that no fold sees its twin."""
    places: dict[int, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        words = tokens(item.text)
        for shingle in {hash(tuple(words[i : i + SHINGLE])) for i in range(len(words) - SHINGLE + 1)}:
            places[shingle].append(index)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for owners in places.values():
        if 2 <= len(owners) <= 10:  # a phrase in more items than that is a phrase of the trade
            for other in owners[1:]:
                shared[owners[0], other] += 1
    return _united(len(items), (pair for pair, count in shared.items() if count >= SHARED))


def corpus_digest(items: Iterable[Item]) -> str:
    """The sha256 of all items, whatever their order."""
    marks = sorted(
        hashlib.sha256(msgspec.json.encode([item.id, item.text, sorted(item.topics), item.urgency])).digest()
        for item in items
    )
    return hashlib.sha256(b"".join(marks)).hexdigest()


def _item(line: LabelledLine, topics: Sequence[str]) -> Item:
    text = full_text(line.headline, line.text)
    if not text.strip():
        raise ValueError("'text' is empty: give the article's text")
    return Item(
        id=line.id or hashlib.sha256(text.encode()).hexdigest()[:16],
        text=text,
        topics=_known(line.topics, topics),
        urgency=line.urgency,
        published=line.published,
        source=line.source,
    )


def _joined(text: TextLine, label: LabelLine, topics: Sequence[str]) -> Item:
    return Item(
        text.id,
        full_text(text.headline, text.text),
        _known(label.topics, topics),
        label.urgency,
        text.published,
        text.source,
    )


def _known(given: Sequence[str], topics: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(given) - set(topics))
    if unknown:
        raise ValueError(
            f"'topics' has {', '.join(map(repr, unknown))}: known are {', '.join(topics)} (training/topics.json)"
        )
    return tuple(topic for topic in topics if topic in given)


def _told(faults: list[str], most: int = 20) -> str:
    more = [f"... and {len(faults) - most} more"] if len(faults) > most else []
    return "\n".join([*faults[:most], *more])


def _united(count: int, pairs: Iterable[Any]) -> Ints:
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for one, other in pairs:
        low, high = sorted((root(one), root(other)))
        parent[high] = low  # the smallest index names the group, whatever the order of the pairs
    return np.array([root(index) for index in range(count)], dtype=np.int64)
