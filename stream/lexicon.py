"""Lexicon: the vocabularies of a model made ready, and texts read by them.

Importing this file compiles the kernels (see stream/kernels.py), a second where they are cached; a model does so
when it is loaded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

from stream import kernels
from stream.features import Floats, Hashes, Ints, Kind, Vocabulary, fold_table, foldable

LARGEST: Final = 2**30  # bytes of text in one call, by the kernels' 32-bit places


@dataclass(frozen=True, slots=True)
class Features:
    """A batch as a sparse matrix by rows: document d owns `ids[start[d]:start[d+1]]` and the `weights` beside.

    `ids` index the stacked vocabularies in the order of the blocks; each (document, id) stands once.
    """

    start: Ints
    ids: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text: `hashes` uint64 [t]; `begin` and `end` int64 [t] count code points of the lower-cased text.

    `points` uint32 holds those code points, each plus one, and 0 for all that is no word character.
    """

    points: npt.NDArray[np.uint32]
    begin: Ints
    end: Ints
    hashes: Hashes


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Where known terms stand, int64 [o] each: `token` is the token a term begins at, `ids` its feature id, `width` how many
    tokens, from that one on, it is made of.
    """

    token: Ints
    ids: Ints
    width: Ints


class Lexicon:
    """The terms of `vocabularies`, stacked in their order, and what reading texts by them needs.

    It may be used from several threads: each call takes a scratch of its own, and puts it back for the next.
    """

    def __init__(self, vocabularies: Sequence[Vocabulary]) -> None:
        self._fold = fold_table()
        self._order = _by_frequency(vocabularies)
        self._terms = _terms(vocabularies, self._order)
        self._spare: list[kernels.Scratch] = []

    def featurise(self, texts: Sequence[str]) -> Features:
        """The features of each text: rows in the order of `texts`, weighed as TfidfVectorizer with sublinear tf does by block."""
        rows = [self._features(text) for text in texts]
        start = np.array([0, *accumulate(len(ids) for ids, _ in rows)], dtype=np.int64)
        ids = np.concatenate([np.empty(0, dtype=np.int64), *(ids for ids, _ in rows)])
        return Features(start, ids, np.concatenate([np.empty(0), *(weights for _, weights in rows)]))

    def lanes(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The weights float32 [features, outputs] as `sums` takes them: rows in this lexicon's own order, and columns of 0 up to
        the next multiple of what is added up side by side."""
        missing = -weights.shape[1] % kernels.LANES
        return np.ascontiguousarray(np.pad(weights, ((0, 0), (0, missing)))[self._order])

    def sums(self, texts: Sequence[str], weights: npt.NDArray[np.float32]) -> Floats:
        """The features of each text times `weights`, which `lanes` has made; float64 [n, columns of these].

        A text's row is the same to the last bit whatever texts stand beside it and came before.
        """
        buffer, starts = _joined(texts)
        result = np.zeros((len(texts), weights.shape[1]))
        scratch = self._take()
        kernels.add_up(buffer, starts, self._fold, self._terms, scratch, weights, result)
        self._spare.append(scratch)
        return result

    def sums_by_piece(self, text: str, closing: Ints, weights: npt.NDArray[np.float32]) -> Floats:
        """What each piece of `text` adds to its `sums`, float64 [pieces, columns of `weights`, which `lanes` has made].

        `closing` int64 [pieces]: where each ends, in code points of the lower-cased text.
        """
        buffer, _ = _joined([text])
        result = np.zeros((len(closing), weights.shape[1]))
        scratch = self._take()
        kernels.add_up_by_piece(buffer, closing, self._fold, self._terms, scratch, weights, result)
        self._spare.append(scratch)
        return result

    def shares(self, text: str) -> tuple[Tokens, Occurrences, Floats]:
        """One text taken apart: its tokens, each occurrence of a known term (ids stacked), and its share of the feature's weight.

        A feature that stands three times gives each of the three a third of its weight, so the shares of a text sum to
        its features and shares times weights of the model sum to its score.
        """
        buffer, _ = _joined([text])
        scratch = self._take()
        found, known, parts = kernels.take_apart(buffer, self._fold, self._terms, scratch)
        self._spare.append(scratch)
        token, ids, width = known
        return Tokens(*found), Occurrences(token, self._order[ids], width), parts

    def count(self, text: str) -> tuple[int, int]:
        """How many tokens `text` has, and how many of them are terms of the first vocabulary."""
        tokens, known = kernels.count_words(_joined([text])[0], self._fold, self._terms)
        return tokens, known

    def _features(self, text: str) -> tuple[Ints, Floats]:
        _, known, parts = self.shares(text)
        ids, which = np.unique(known.ids, return_inverse=True)
        weights: Floats = np.bincount(which, weights=parts, minlength=len(ids)).astype(np.float64)
        return ids, weights

    def _take(self) -> kernels.Scratch:
        try:
            return self._spare.pop()  # no other thread can get the same
        except IndexError:
            return kernels.new_scratch(len(self._terms.blocks), len(self._terms.idf))


def taking_part(known: Occurrences) -> tuple[Ints, Ints]:
    """Every (occurrence, token that it is made of), int64 [sum of the widths] each, by occurrence."""
    owner = np.repeat(np.arange(len(known.width)), known.width)
    position = np.arange(len(owner)) - (np.cumsum(known.width) - known.width)[owner]
    return owner, known.token[owner] + position


def spelt(found: Tokens, which: Ints) -> tuple[str, ...]:
    """The tokens `which` as they stand in the lower-cased text."""
    return tuple(
        (found.points[begin:end] - np.uint32(1)).tobytes().decode("utf-32-le")
        for begin, end in zip(found.begin[which].tolist(), found.end[which].tolist(), strict=True)
    )


def _joined(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint8], Ints]:
    """The texts in UTF-8 one after the other, uint8, and where each starts and the last ends, int64 [n + 1]."""
    encoded = [foldable(text) for text in texts]
    starts = [0, *accumulate(map(len, encoded))]
    if starts[-1] > LARGEST:
        raise ValueError(f"{starts[-1]} bytes of text at once, and {LARGEST} are the most; cut them into several calls")
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), np.array(starts, dtype=np.int64)


def _by_frequency(vocabularies: Sequence[Vocabulary]) -> Ints:
    """The feature ids of the kernels to those of the stacked vocabularies: each block's terms by rising idf, int64 [features].

    So the few thousand terms that nearly all of a text is made of lie side by side in memory.
    """
    orders, first = [np.empty(0, dtype=np.int64)], 0
    for vocabulary in vocabularies:
        orders.append(np.argsort(vocabulary.idf, kind="stable") + first)
        first += len(vocabulary.idf)
    return np.concatenate(orders)


def _terms(vocabularies: Sequence[Vocabulary], order: Ints) -> kernels.Terms:
    blocks = np.zeros((len(vocabularies), 6), dtype=np.int64)
    start = 0
    for number, vocabulary in enumerate(vocabularies):
        bits = max(4, (2 * len(vocabulary.hashes)).bit_length())  # at most half full
        kind = kernels.WORD if vocabulary.block.kind is Kind.WORD else kernels.SUBWORD
        some = int(len(vocabulary.hashes) > 0)
        blocks[number] = kind, vocabulary.block.shortest, vocabulary.block.longest, start, 64 - bits, some
        start += 1 << bits
    idf = np.concatenate([np.empty(0), *(vocabulary.idf for vocabulary in vocabularies)])[order]
    logs = np.concatenate([[0.0], 1.0 + np.log(np.arange(1, kernels.LOGS))])
    slots, sieve = np.zeros(start, dtype=np.uint64), np.zeros(start, dtype=np.uint8)
    terms = kernels.Terms(blocks, slots, sieve, np.zeros(len(idf), dtype=np.uint64), idf, logs)
    ids, first = np.argsort(order).astype(np.int32), 0
    for row, vocabulary in zip(blocks.tolist(), vocabularies, strict=True):
        last = first + len(vocabulary.hashes)
        kernels.fill_table(np.ascontiguousarray(vocabulary.hashes), ids[first:last], row[3], row[4], terms)
        first = last
    return terms
