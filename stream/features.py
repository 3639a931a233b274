"""Features: what a text is made of, the one definition that training and serving share.

The *reference* (`tokens`, `terms`) is plain Python and is what training hands to scikit-learn's vectorisers as their
analyzer. Serving reads text by the compiled kernels behind `stream/lexicon.py`, and a property test holds the two equal.
A term is known to serving by its 64-bit hash alone, so a model folder holds no text.
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
    """The 64-bit hash of each term, uint64 [n], as the kernels compute it from running text."""
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


# --- for the kernels -----------------------------------------------------------------------------------------------

DOTTED_I, SIGMA = "\u0130", "\u03a3"  # alone in becoming two characters, and one by its neighbours, when lower-cased


@cache
def fold_table() -> npt.NDArray[np.uint32]:
    """For each code point: that of its lower case plus one, or 0 where this is no word character; uint32 [0x110000].

    Asked of Python's own `lower` and `re`, so that both sides agree for ever. DOTTED_I and SIGMA never reach it.
    """
    every = np.arange(0x110000, dtype=np.uint32).tobytes().decode("utf-32-le", "surrogatepass")
    lowered = every.replace(DOTTED_I, "_").replace(SIGMA, "_").lower()
    points = np.frombuffer(lowered.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    is_word = np.zeros(0x110000, dtype=np.bool_)
    for run in re.finditer(r"\w+", every):
        is_word[run.start() : run.end()] = True
    return np.where(is_word[points], points + np.uint32(1), np.uint32(0))


def foldable(text: str) -> bytes:
    """The text as UTF-8, in which every character can be lower-cased by itself. Raises UnicodeEncodeError at a lone surrogate."""
    return (text.lower() if DOTTED_I in text or SIGMA in text else text).encode()


def lowered_length(text: str) -> int:
    """The characters of `text.lower()`."""
    return len(text) + text.count(DOTTED_I)
