"""Fakes: a model small enough to know by heart, and a broker in memory."""

import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from stream.features import Block, Kind, Vocabulary, hash_terms
from stream.model import FORMAT, Card, Model, OperatingPoint, Topic
from stream.worker import Batch, Outgoing, Postponed, Record

NOW = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
TOPICS = (
    Topic("evacuation", ("medtop:20000168",), "Rescue"),
    Topic("reprisals", ("medtop:20000592",), "Security"),
    Topic("governance", ("medtop:20000593",), "Other"),
)
# What each word says for evacuation, reprisals, governance, at least medium, at least high, critical.
WORDS = {
    "airlift": (9, 0, 0, 9, 9, 0),
    "evacuated": (8, 0, 0, 8, 0, 0),
    "hunted": (0, 9, 0, 9, 9, 9),
    "detained": (0, 7, 0, 7, 0, 0),
    "coup": (0, 0, 9, 9, 9, 9),
    "minister": (0, 0, 6, 6, 0, 0),
    "football": (-4, -4, -4, -6, -6, -6),
}


def tiny_model(topics: tuple[Topic, ...] = TOPICS, threshold: float = 0.5) -> Model:
    """A model of seven words whose labels anybody can foretell."""
    block = Block(Kind.WORD, 1, 1)
    hashes = hash_terms(WORDS, block)
    order = np.argsort(hashes)
    weights = np.array([WORDS[list(WORDS)[index]] for index in order], dtype=np.float32)
    outputs = weights.shape[1]
    card = Card(
        format=FORMAT,
        name="tiny",
        version="1",
        created="2026-03-01T00:00:00Z",
        topics=topics,
        blocks=(block,),
        thresholds={
            name: OperatingPoint(threshold, "by hand")
            for name in (*(topic.name for topic in topics), "medium", "high", "critical")
        },
        files={},
    )
    vocabulary = Vocabulary(block, hashes[order], np.ones(len(hashes)))
    return Model(
        card, (vocabulary,), weights, np.full(outputs, -3.0), np.ones(outputs), np.zeros(outputs), policy="tiny-policy"
    )


def record(value: bytes | None, offset: int = 0, partition: int = 0, **more: Any) -> Record:
    """A record of the topic `articles`, taken by the broker an hour before `NOW`."""
    fields = {"key": None, "headers": [], "timestamp_ms": int(NOW.timestamp() * 1000) - 3_600_000} | more
    return Record("articles", partition, offset, value=value, **fields)


def article(number: int, text: str = "The football season goes on as planned.") -> bytes:
    """A plain JSON article, readable and with an id of its own."""
    return b'{"id": "a%d", "text": "%s"}' % (number, text.encode())


@dataclass
class FakeBroker:
    """Source and sink over a list of records: remembers every call, and shows only what was committed."""

    records: Sequence[Record] = ()
    batch_size: int = 100
    calls: list[str] = field(default_factory=list)
    open: list[Outgoing] = field(default_factory=list)
    committed: list[Outgoing] = field(default_factory=list)
    position: int = 0
    taken: int = 0
    fail_at: dict[str, list[Exception]] = field(default_factory=dict)

    def poll(self) -> Batch:
        self._call("poll")
        found = self.records[self.taken : self.taken + self.batch_size]
        self.taken += len(found)
        return Batch(found, self.taken)

    def rewind(self, batch: Batch) -> None:
        self._call("rewind")
        self.taken -= len(batch.records)

    def lag(self) -> list[tuple[str, int, int]]:
        return [("articles", 0, len(self.records) - self.taken)]

    def begin(self) -> None:
        self._call("begin")
        self.open = []

    def send(self, outgoing: Outgoing) -> None:
        self._call("send")
        self.open.append(outgoing)

    def flush(self) -> None:
        self._call("flush")

    def commit(self, position: int) -> None:
        self._call("commit")
        self.committed += self.open
        self.position = position

    def abort(self) -> None:
        self._call("abort")
        self.open = []

    def postpone(self, stage: str, times: int = 1) -> None:
        """The next `times` calls of `stage` find the group in a rebalance."""
        self.fail_at[stage] = [Postponed("rebalance")] * times

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fail_at.get(name):
            raise self.fail_at[name].pop()


def answer_of(url: str) -> tuple[int, str]:
    """Status and body of a GET, a refusal's too."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()
