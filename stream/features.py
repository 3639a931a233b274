"""Features: text to feature ids and weights, the one definition that training and serving share.

Two views of the same tokens. The *reference* (`tokens`, `terms`) is plain Python and is what training hands to
scikit-learn's vectorisers as their analyzer. The *fast* one (`Featuriser`) is numpy over code points and is what
serving runs. A property test holds them equal. A term is known to serving by its 64-bit hash alone, so a model
folder holds no text.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache, partial
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

type_hash = np.uint64
Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

TOKEN: Final = re.compile(r"\w\w+")
BASE: Final = 0x9E3779B97F4A7C15  # odd, so that multiplying by it loses nothing modulo 2**64
SECOND: Final = 0xC2B2AE3D27D4EB4F  # tells "a b" from "b a" in a pair
EDGE_START, EDGE_END = "<", ">"  # no word character, so no token can forge an edge


class Kind(StrEnum):
    """What the n-grams of a block are made of."""

    WORD = "word"  # of whole tokens
    SUBWORD = "subword"  # of the characters of one token between its two edges


class Block(msgspec.Struct, frozen=True):
    """One family of n-grams with its own vocabulary, counted and normalised by itself."""

    kind: Kind
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms of one block that a model knows: `hashes` sorted, uint64 [n]; `idf` float64 [n]."""

    block: Block
    hashes: Hashes
    idf: Floats


@dataclass(frozen=True, slots=True)
class Features:
    """A batch as a sparse matrix by rows: document d owns `ids[start[d]:start[d+1]]` and the `weights` beside.

    `ids` index the stacked vocabularies in the order of the blocks; each (document, id) stands once.
    """

    start: Ints
    ids: Ints
    weights: Floats


def full_text(headline: str | None, text: str) -> str:
    """What is scored of an article: the headline, where there is one, on a line above the text."""
    return f"{headline}\n{text}" if headline else text


# --- the reference -------------------------------------------------------------------------------------------------


def tokens(text: str) -> list[str]:
    """Runs of two or more word characters of the lower-cased text (scikit-learn's default token)."""
    return TOKEN.findall(text.lower())


def terms(text: str, block: Block) -> list[str]:
    """Every n-gram of `block` in `text`, in order, repeats kept."""
    words = tokens(text)
    sizes = range(block.shortest, block.longest + 1)
    if block.kind is Kind.WORD:
        return [" ".join(words[i : i + n]) for n in sizes for i in range(len(words) - n + 1)]
    return [term for word in words for term in _subwords(word, block)]


@lru_cache(maxsize=200_000)  # the same words come again and again, and training reads tens of millions
def _subwords(word: str, block: Block) -> tuple[str, ...]:
    edged = f"{EDGE_START}{word}{EDGE_END}"
    return tuple(edged[i : i + n] for n in range(block.shortest, block.longest + 1) for i in range(len(edged) - n + 1))


def analyzer(block: Block) -> "partial[list[str]]":
    """`terms` of one block in the form that scikit-learn takes as `analyzer=` and that pickles."""
    return partial(terms, block=block)


def hash_terms(terms_: Iterable[str], block: Block) -> Hashes:
    """The 64-bit hash of each term, uint64 [n], as `Featuriser` computes it from running text."""
    if block.kind is Kind.SUBWORD:
        return np.array([_hash_word(term) for term in terms_], dtype=np.uint64)
    return np.array([_hash_phrase(term.split(" ")) for term in terms_], dtype=np.uint64)


def _hash_word(word: str) -> int:
    value = 0
    for character in reversed(word):
        value = (value * BASE + ord(character) + 1) & 0xFFFFFFFFFFFFFFFF
    return value


def _hash_phrase(words: Sequence[str]) -> int:
    value = _hash_word(words[0])
    for word in words[1:]:
        value = (value * SECOND + _hash_word(word)) & 0xFFFFFFFFFFFFFFFF
    return value


# --- the fast one --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a batch: `hashes` uint64 [t], `document` int64 [t], `begin` and `end` int64 [t].

    `begin` and `end` count code points in the lower-cased texts put one after the other, each with one line break behind it;
    `points` uint32 holds those code points.
    """

    points: npt.NDArray[np.uint32]
    begin: Ints
    end: Ints
    document: Ints
    hashes: Hashes


@cache
def _word_table() -> npt.NDArray[np.bool_]:
    """For each code point: is it a word character? Asked of `re` itself, so that both sides agree for ever."""
    table = np.zeros(0x110000, dtype=np.bool_)
    for run in re.finditer(r"\w+", "".join(map(chr, range(0x110000)))):
        table[run.start() : run.end()] = True
    return table


def _powers(count: int) -> Hashes:
    steps = np.full(max(count, 1), BASE, dtype=np.uint64)
    steps[0] = 1
    return np.cumprod(steps, dtype=np.uint64)


def _ragged(lengths: Ints) -> tuple[Ints, Ints]:
    """For runs of these lengths laid end to end: which run each place belongs to, and its position within it."""
    owner = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    return owner, np.arange(len(owner)) - first[owner]


def tokenise(texts: Sequence[str]) -> Tokens:
    """The tokens of `texts` with their hashes; linear in the number of characters."""
    lowered = [text.lower() for text in texts]
    joined = "".join(f"{text}\n" for text in lowered)
    points = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)
    is_word = np.zeros(len(points) + 2, dtype=np.int8)
    is_word[1:-1] = _word_table()[points]
    edges = np.flatnonzero(np.diff(is_word))
    begin, end = edges[::2], edges[1::2]
    long_enough = end - begin >= 2
    begin, end = begin[long_enough], end[long_enough]
    closing = np.cumsum([len(text) + 1 for text in lowered])
    return Tokens(points, begin, end, np.searchsorted(closing, begin, side="right"), _hash_runs(points, begin, end))


def _hash_runs(points: npt.NDArray[np.uint32], begin: Ints, end: Ints) -> Hashes:
    """The polynomial hash of each run points[begin:end]: sum of (point + 1) * BASE ** position, modulo 2**64."""
    if not len(begin):
        return np.empty(0, dtype=np.uint64)
    lengths = end - begin
    owner, position = _ragged(lengths)
    values = (points[begin[owner] + position].astype(np.uint64) + np.uint64(1)) * _powers(int(lengths.max()))[position]
    return np.add.reduceat(values, np.cumsum(lengths) - lengths)


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Where known terms stand, int64 [o] each: `token` is the token a term begins at, `ids` its feature id, `width` how many
    tokens, from that one on, it is made of.
    """

    token: Ints
    ids: Ints
    width: Ints


def _look_up(vocabulary: Vocabulary, hashes: Hashes) -> Ints:
    """The place of each hash in the vocabulary, or -1."""
    if not len(vocabulary.hashes):
        return np.full(len(hashes), -1, dtype=np.int64)
    place = np.searchsorted(vocabulary.hashes, hashes)
    place[place == len(vocabulary.hashes)] = 0
    return np.where(vocabulary.hashes[place] == hashes, place, -1)


def _word_occurrences(found: Tokens, vocabulary: Vocabulary) -> Occurrences:
    block, begins, ids, widths = vocabulary.block, [], [], []
    phrase = found.hashes
    for n in range(1, block.longest + 1):
        if n > 1:
            phrase = phrase[:-1] * np.uint64(SECOND) + found.hashes[n - 1 :]
        if n < block.shortest:
            continue
        whole = found.document[: len(phrase)] == found.document[n - 1 :]
        place = _look_up(vocabulary, phrase)
        known = np.flatnonzero(whole & (place >= 0))
        begins.append(known)
        ids.append(place[known])
        widths.append(np.full(len(known), n))
    return Occurrences(np.concatenate(begins), np.concatenate(ids), np.concatenate(widths))


def _subword_occurrences(found: Tokens, vocabulary: Vocabulary) -> Occurrences:
    """Each distinct token of the batch is taken apart once, then dealt out to where it stands."""
    _, example, which = np.unique(found.hashes, return_index=True, return_inverse=True)
    word, place = _known_subwords(found, example, vocabulary)
    per_word = np.bincount(word, minlength=len(example))
    first = np.cumsum(per_word) - per_word
    token, position = _ragged(per_word[which])
    return Occurrences(token, place[first[which[token]] + position], np.ones_like(token))


def _known_subwords(found: Tokens, example: Ints, vocabulary: Vocabulary) -> tuple[Ints, Ints]:
    """For the distinct tokens `example`: (index of the word, feature id) of each n-gram known, by word."""
    lengths = found.end[example] - found.begin[example] + 2
    owner, position = _ragged(lengths)
    last = lengths[owner] - 1
    source = np.clip(found.begin[example][owner] + position - 1, 0, max(len(found.points) - 1, 0))
    edged = np.where(position == 0, ord(EDGE_START), found.points[source])
    edged = np.where(position == last, ord(EDGE_END), edged).astype(np.uint64) + np.uint64(1)
    words, places = [], []
    window, powers = np.zeros(len(edged), dtype=np.uint64), _powers(vocabulary.block.longest)
    for n in range(1, vocabulary.block.longest + 1):
        window = window[: len(edged) - n + 1] + edged[n - 1 :] * powers[n - 1]
        if n < vocabulary.block.shortest:
            continue
        fits = np.flatnonzero(position[: len(window)] + n <= lengths[owner[: len(window)]])
        place = _look_up(vocabulary, window[fits])
        words.append(owner[fits][place >= 0])
        places.append(place[place >= 0])
    word, place = np.concatenate(words), np.concatenate(places)
    order = np.argsort(word, kind="stable")
    return word[order], place[order]


def occurrences(found: Tokens, vocabulary: Vocabulary) -> Occurrences:
    """Every place where a term of `vocabulary` begins."""
    if not len(found.hashes):
        return Occurrences(*(np.empty(0, dtype=np.int64) for _ in range(3)))
    if vocabulary.block.kind is Kind.WORD:
        return _word_occurrences(found, vocabulary)
    return _subword_occurrences(found, vocabulary)


def _weigh(document: Ints, ids: Ints, documents: int, vocabulary: Vocabulary) -> tuple[Ints, Ints, Floats, Ints]:
    """Counts to weights: (1 + ln count) * idf, each document's row of length 1 (Euclid), as TfidfVectorizer's sublinear tf."""
    size = len(vocabulary.hashes)
    keys, counts = np.unique(document * size + ids, return_counts=True)
    row, column = np.divmod(keys, max(size, 1))
    weight = (1.0 + np.log(counts)) * vocabulary.idf[column]
    norm = np.sqrt(np.bincount(row, weights=weight * weight, minlength=documents))
    return row, column, weight / norm[row], counts


def featurise(texts: Sequence[str], vocabularies: Sequence[Vocabulary]) -> Features:
    """The features of each text: rows in the order of `texts`, ids stacked in the order of `vocabularies`."""
    found = tokenise(texts)
    rows, ids, weights, offset = [], [], [], 0
    for vocabulary in vocabularies:
        known = occurrences(found, vocabulary)
        row, column, weight, _ = _weigh(found.document[known.token], known.ids, len(texts), vocabulary)
        rows.append(row)
        ids.append(column + offset)
        weights.append(weight)
        offset += len(vocabulary.hashes)
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(texts)))])
    return Features(start, np.concatenate(ids)[order], np.concatenate(weights)[order])


def shares(text: str, vocabularies: Sequence[Vocabulary]) -> tuple[Tokens, Occurrences, Floats]:
    """One text taken apart: its tokens, each occurrence of a known term (ids stacked), and its share of the feature's weight.

    A feature that stands three times gives each of the three a third of its weight, so the shares of a text sum to
    its features and shares times weights of the model sum to its score.
    """
    found = tokenise([text])
    places, ids, widths, parts, offset = [], [], [], [], 0
    for vocabulary in vocabularies:
        known = occurrences(found, vocabulary)
        _, column, weight, counts = _weigh(found.document[known.token], known.ids, 1, vocabulary)
        at = np.searchsorted(column, known.ids)
        places.append(known.token)
        ids.append(known.ids + offset)
        widths.append(known.width)
        parts.append((weight / counts)[at] if len(column) else np.empty(0))
        offset += len(vocabulary.hashes)
    known = Occurrences(np.concatenate(places), np.concatenate(ids), np.concatenate(widths))
    return found, known, np.concatenate(parts)


def taking_part(known: Occurrences) -> tuple[Ints, Ints]:
    """Every (occurrence, token that it is made of), int64 [sum of the widths] each, by occurrence."""
    owner, position = _ragged(known.width)
    return owner, known.token[owner] + position


def spelt(found: Tokens, which: Ints) -> tuple[str, ...]:
    """The tokens `which` as they stand in the lower-cased text."""
    return tuple(
        found.points[begin:end].tobytes().decode("utf-32-le")
        for begin, end in zip(found.begin[which].tolist(), found.end[which].tolist(), strict=True)
    )
