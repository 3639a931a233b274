"""Kernels: the loops over the characters and features of a text, compiled by numba when this module is imported.

Importing takes a second of CPU, and some 12 more where nothing compiled is at hand; so whoever needs a kernel imports
this module when a model is loaded, and no article ever waits for the compiler. What was compiled is kept beside this
file in `__pycache__`, else, where that is read-only, in the user's cache folder, or before both in the folder that
NUMBA_CACHE_DIR names; the next start takes it from there. Where nothing can be written, each start compiles, and keeps
80 MB more. An image is best built with `python -c "import stream.kernels"`, as `make` does, on the kind of processor
that it will run on: numba compiles again for another.

All kernels stand in one file, because numba compiles again when the file of a kernel changes, and not when a file does
that it calls.
"""

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba import types

WORD, SUBWORD = 0, 1
START, END = ord("<") + 1, ord(">") + 1  # the edges of a word, as points
MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # spreads a hash over its high bits, which choose the place in a table
BASE: Final = np.uint64(0x9E3779B97F4A7C15)  # as in stream/features.py
SECOND: Final = np.uint64(0xC2B2AE3D27D4EB4F)
ONE: Final = np.uint64(1)
LOW: Final = np.uint64(0xFFFFFFFF)
HALF: Final = np.uint64(32)
SLOTS_BITS: Final = 16
SLOTS: Final = 1 << SLOTS_BITS
MOST_WORDS: Final = SLOTS // 2  # a fuller table is slow to search
POOL: Final = 16 * MOST_WORDS  # feature ids; a word of English news has 11
LONGEST_KEPT: Final = 48  # code points; a longer word hardly comes again
LANES: Final = 8  # outputs added up side by side
LOGS: Final = 256

Array = npt.NDArray[Any]


class Terms(NamedTuple):
    """The vocabularies of a model, one after the other, as the kernels read them.

    blocks  int64 [blocks, 6]: WORD or SUBWORD, shortest, longest, begin and shift of its table, 1 if it has terms
    slots   uint64 [slots]: the tables by open addressing, each a power of two long and at most half full: 32 bits of the hash
            before the feature id plus one, 0 where empty
    sieve   uint8 [slots]: a bit for each hash, of which there are eight times as many as slots: a term whose bit is not set is
            not known, and most are told by this small array
    keys    uint64 [features]: hash times MIX
    idf     float64 [features]
    logs    float64 [LOGS]: 1 + ln count
    """

    blocks: Array
    slots: Array
    sieve: Array
    keys: Array
    idf: Array
    logs: Array


class Scratch(NamedTuple):
    """What one call at a time writes to. `counts` and `repeats` are all 0 between two texts.

    counts   int32 [features]: how often each feature stands in the text in hand
    touched  int32 [features + 1]: the features that do
    shares   float64 [features]: for those, what each occurrence has of the feature's weight, where a kernel needs it
    slots    uint64 [blocks, SLOTS]: the words taken apart already, by open addressing as in Terms
    words    uint64 [blocks, MOST_WORDS]: hash times MIX of each, in the order in which they came, so that common ones lie together
    spans    int32 [blocks, MOST_WORDS + 1]: where in `pool` the features of each begin, those of the one before end
    repeats  int32 [blocks, MOST_WORDS]: how often each stands in the text in hand
    seen     int32 [MOST_WORDS + 1]: those that do
    pool     int32 [blocks, POOL]: feature ids
    used     int64 [blocks]: how many words are kept
    """

    counts: Array
    touched: Array
    shares: Array
    slots: Array
    words: Array
    spans: Array
    repeats: Array
    seen: Array
    pool: Array
    used: Array


def new_scratch(blocks: int, features: int) -> Scratch:
    """Memory is taken as it is first written to: 3 MB and 8 bytes a feature once some thousand articles were read."""
    return Scratch(
        np.zeros(features, dtype=np.int32),
        np.empty(features + 1, dtype=np.int32),
        np.empty(features, dtype=np.float64),
        np.zeros((blocks, SLOTS), dtype=np.uint64),
        np.empty((blocks, MOST_WORDS), dtype=np.uint64),
        np.zeros((blocks, MOST_WORDS + 1), dtype=np.int32),
        np.zeros((blocks, MOST_WORDS), dtype=np.int32),
        np.empty(MOST_WORDS + 1, dtype=np.int32),
        np.empty((blocks, POOL), dtype=np.int32),
        np.zeros(blocks, dtype=np.int64),
    )


compiler: Any = numba  # has types for some of what is used here
compiler.config.SLP_VECTORIZE = 1  # adds the lanes up four at a time

F = TypeVar("F", bound=Callable[..., Any])


def _array(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C")


U8 = types.Array(types.uint8, 1, "C", readonly=True)
U32, U64 = _array(types.uint32), _array(types.uint64)
I32, I64, F64 = _array(types.int32), _array(types.int64), _array(types.float64)
U64S, I32S = _array(types.uint64, 2), _array(types.int32, 2)
TERMS = compiler.types.NamedTuple([_array(types.int64, 2), U64, _array(types.uint8), U64, F64, F64], Terms)
SCRATCH = compiler.types.NamedTuple([I32, I32, F64, U64S, U64S, I32S, I32S, I32, I32S, I64], Scratch)


def _kernel(*signature: Any) -> Callable[[F], F]:
    """Compiles a function that Python calls for the types of `signature`: now, or out of the cache. Other threads run beside it."""

    def compiled(function: F) -> F:
        try:
            return compiler.njit(signature, cache=True, nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]
        except RuntimeError:  # no folder to keep it in can be written to
            return compiler.njit(signature, nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]

    return compiled


def _inner(function: F) -> F:
    """A function that only kernels call: compiled as part of them."""
    return compiler.njit(function, error_model="numpy")  # type: ignore[no-any-return]


# --- within kernels ------------------------------------------------------------------------------------------------


@_inner
def _tokenise(
    text: Array, at: int, stop: int, fold: Array, points: Array, begin: Array, end: Array, hashes: Array
) -> Any:
    """The tokens of the UTF-8 in text[at:stop]; how many. `points` gets each folded code point and 0 where no word is.

    Where words end is not to be foretold, so the loop has no branch that depends on it: a token is written down at every
    character, and counts once it is whole.
    """
    byte, last = np.uint64(at), np.uint64(stop)
    place, first, found = np.uint64(0), np.uint64(0), np.uint64(0)
    value, power = np.uint64(0), ONE
    while byte < last:
        code = np.uint32(text[byte])
        byte += ONE
        if code >= 0x80:
            more = ONE if code < 0xE0 else np.uint64(2) if code < 0xF0 else np.uint64(3)
            code &= np.uint32(0x3F) >> np.uint32(more)
            for _ in range(more):
                code = code << np.uint32(6) | np.uint32(text[byte] & 0x3F)
                byte += ONE
        point = fold[code]
        points[place] = point
        begin[found], end[found], hashes[found] = first, place, value
        outside = point == 0
        found += np.uint64(outside & (place - first >= np.uint64(2)))
        place += ONE
        first = place if outside else first
        value = np.uint64(0) if outside else value + np.uint64(point) * power
        power = ONE if outside else power * BASE
    begin[found], end[found], hashes[found] = first, place, value
    return np.int64(found) + np.int64(place - first >= np.uint64(2))


@_inner
def _sifted(mixed: Any, start: Any, shift: Any, terms: Any) -> Any:
    """1, or 0 where no term of the block has this mixed hash."""
    byte = terms.sieve[start + (mixed >> shift)]
    return np.uint64(byte) >> ((mixed >> (shift - np.uint64(3))) & np.uint64(7)) & ONE


@_inner
def _find(mixed: Any, slots: Array, start: Any, shift: Any, keys: Array) -> Any:
    """Where in `keys` a mixed hash stands, by the table that begins at `start`, or -1; and its slot or that where it should be."""
    slot, mask, tag = mixed >> shift, (ONE << (np.uint64(64) - shift)) - ONE, mixed & LOW
    while True:
        found = slots[start + slot]
        if found >> HALF == tag and keys[(found & LOW) - ONE] == mixed:
            return np.int64(found & LOW) - 1, start + slot
        if found == 0:
            return -1, start + slot
        slot = (slot + ONE) & mask


@_inner
def _entry(mixed: Any, number: Any) -> Any:
    """What stands in a slot."""
    return (mixed & LOW) << HALF | np.uint64(number + 1)


@_inner
def _count_words(block: Array, terms: Any, hashes: Array, tokens: int, counts: Array, touched: Array) -> Any:
    """Counts the known phrases; how many different ones, in the order in which they first stand.

    In two rounds, for whether a phrase is known is not to be foretold: the first sifts without a branch, and of what it leaves
    nearly all are known.
    """
    shortest, longest, start, shift = block[1], block[2], np.uint64(block[3]), np.uint64(block[4])
    phrases, likely = np.empty(tokens * (longest - shortest + 1) + 1, dtype=np.uint64), np.uint64(0)
    for token in range(tokens):
        phrase = np.uint64(0)
        for width in range(1, min(longest, tokens - token) + 1):
            phrase = phrase * SECOND + hashes[token + width - 1]
            phrases[likely] = phrase * MIX
            likely += np.uint64(width >= shortest) & _sifted(phrase * MIX, start, shift, terms)
    found = 0
    for at in range(likely):
        place, _ = _find(phrases[at], terms.slots, start, shift, terms.keys)
        if place >= 0:
            touched[found] = place
            found += counts[place] == 0
            counts[place] += 1
    return found


@_inner
def _subwords(block: Array, terms: Any, points: Array, begin: int, end: int, head: int, ids: Array, filled: Any) -> Any:
    """Puts the ids of the known n-grams that begin with character `head` of a word (0: its edge) into `ids` from
    `filled` on; how many it then holds."""
    shortest, longest, start, shift = block[1], block[2], np.uint64(block[3]), np.uint64(block[4])
    value, power = np.uint64(0), ONE
    for width in range(1, min(longest, end - begin + 2 - head) + 1):
        at = begin + head + width - 2
        point = np.uint64(START) if at < begin else np.uint64(END) if at == end else np.uint64(points[at])
        value += point * power
        power *= BASE
        if width >= shortest and _sifted(value * MIX, start, shift, terms):
            place, _ = _find(value * MIX, terms.slots, start, shift, terms.keys)
            if place >= 0:
                ids[filled] = place
                filled += 1
    return filled


@_inner
def _deal_out(
    seen: Array, words: int, spans: Array, repeats: Array, pool: Array, counts: Array, touched: Array, found: int
) -> Any:
    """Counts the features of the words seen since it was last called, in their order; how many different ones there are."""
    for number in range(words):
        word = seen[number]
        times = repeats[word]
        repeats[word] = 0
        for at in range(spans[word], spans[word + 1]):
            place = np.uint64(pool[at])
            touched[found] = place
            found += counts[place] == 0
            counts[place] += times
    return found


@_inner
def _recall(mixed: Any, slots: Array, words: Array) -> Any:
    """The number of a word among those taken apart already, or -1; and the slot it has or should have."""
    return _find(mixed, slots, np.uint64(0), np.uint64(64 - SLOTS_BITS), words)


@_inner
def _has_room(used: Array, spans: Array, block: Array) -> Any:
    return used[0] < MOST_WORDS and spans[used[0]] + (block[2] - block[1] + 1) * (LONGEST_KEPT + 2) <= POOL


@_inner
def _remember(
    mixed: Any,
    slot: Any,
    begin: int,
    end: int,
    points: Array,
    block: Array,
    terms: Any,
    slots: Array,
    words: Array,
    spans: Array,
    pool: Array,
    used: Array,
) -> Any:
    """Takes the word points[begin:end] apart; its number. Its features are pool[spans[number] : spans[number + 1]].

    A function of its own only for what is rare: numba counts references to every array that it is called with.
    """
    word, filled = used[0], np.int64(spans[used[0]])
    for head in range(end - begin + 2):
        filled = _subwords(block, terms, points, begin, end, head, pool, filled)
    slots[slot], words[word], spans[word + 1] = _entry(mixed, word), mixed, filled
    used[0] = word + 1
    return word


@_inner
def _count_subwords(
    number: int, terms: Any, points: Array, begin: Array, end: Array, hashes: Array, tokens: int, scratch: Any
) -> Any:
    """Counts the known n-grams within words; how many different ones, in the order in which they first stand.

    A word is taken apart once and remembered. When the memory is full it is emptied: that costs time and changes nothing,
    for all that was seen is dealt out before, and so is it before a word that is too long to be kept.
    """
    block, slots, words = terms.blocks[number], scratch.slots[number], scratch.words[number]
    pool, spans, used = scratch.pool[number], scratch.spans[number], scratch.used[number : number + 1]
    repeats, seen, counts, touched = scratch.repeats[number], scratch.seen, scratch.counts, scratch.touched
    few = np.empty(block[2], dtype=np.int32)
    different, found = 0, 0
    for token in range(tokens):
        first, last, mixed = begin[token], end[token], hashes[token] * MIX
        if last - first > LONGEST_KEPT:
            found = _deal_out(seen, different, spans, repeats, pool, counts, touched, found)
            different = 0
            for head in range(last - first + 2):
                for at in range(_subwords(block, terms, points, first, last, head, few, 0)):
                    touched[found] = few[at]
                    found += counts[few[at]] == 0
                    counts[few[at]] += 1
            continue
        word, slot = _recall(mixed, slots, words)
        if word < 0:
            if not _has_room(used, spans, block):
                found = _deal_out(seen, different, spans, repeats, pool, counts, touched, found)
                different = 0
                slots[:] = 0
                used[0] = 0
                word, slot = _recall(mixed, slots, words)
            word = _remember(mixed, slot, first, last, points, block, terms, slots, words, spans, pool, used)
        seen[different] = word
        different += repeats[word] == 0
        repeats[word] += 1
    return _deal_out(seen, different, spans, repeats, pool, counts, touched, found)


@_inner
def _count(
    number: int, terms: Any, points: Array, begin: Array, end: Array, hashes: Array, tokens: int, scratch: Any
) -> Any:
    """Counts what a text has of one block in scratch.counts; how many features scratch.touched then names."""
    if terms.blocks[number, 5] == 0:
        return 0
    if terms.blocks[number, 0] == WORD:
        return _count_words(terms.blocks[number], terms, hashes, tokens, scratch.counts, scratch.touched)
    return _count_subwords(number, terms, points, begin, end, hashes, tokens, scratch)


@_inner
def _phrases_of(
    block: Array, terms: Any, hashes: Array, tokens: int, owner: Array, ids: Array, width: Array, filled: int
) -> Any:
    """Enters each occurrence of a known phrase from `filled` on; how many are then entered."""
    start, shift = np.uint64(block[3]), np.uint64(block[4])
    for token in range(tokens):
        phrase = np.uint64(0)
        for size in range(1, min(block[2], tokens - token) + 1):
            phrase = phrase * SECOND + hashes[token + size - 1]
            if size >= block[1] and _sifted(phrase * MIX, start, shift, terms):
                place, _ = _find(phrase * MIX, terms.slots, start, shift, terms.keys)
                if place >= 0:
                    owner[filled], ids[filled], width[filled] = token, place, size
                    filled += 1
    return filled


@_inner
def _subwords_of(
    number: int,
    terms: Any,
    points: Array,
    begin: Array,
    end: Array,
    hashes: Array,
    tokens: int,
    scratch: Any,
    owner: Array,
    ids: Array,
    filled: int,
) -> Any:
    """Enters each occurrence of a known n-gram within words from `filled` on; how many are then entered."""
    block, slots, words = terms.blocks[number], scratch.slots[number], scratch.words[number]
    pool, spans, used = scratch.pool[number], scratch.spans[number], scratch.used[number : number + 1]
    few = np.empty(block[2], dtype=np.int32)
    for token in range(tokens):
        first, last, mixed = begin[token], end[token], hashes[token] * MIX
        if last - first > LONGEST_KEPT:
            for head in range(last - first + 2):
                for at in range(_subwords(block, terms, points, first, last, head, few, 0)):
                    owner[filled], ids[filled] = token, few[at]
                    filled += 1
            continue
        word, slot = _recall(mixed, slots, words)
        if word < 0:
            if not _has_room(used, spans, block):
                slots[:] = 0
                used[0] = 0
                word, slot = _recall(mixed, slots, words)
            word = _remember(mixed, slot, first, last, points, block, terms, slots, words, spans, pool, used)
        for at in range(spans[word], spans[word + 1]):
            owner[filled], ids[filled] = token, pool[at]
            filled += 1
    return filled


@_inner
def _share_out(ids: Array, terms: Any, counts: Array, shares: Array) -> None:
    """Of one block's occurrences each one's share of its feature's weight, the features together of length 1."""
    for at in range(len(ids)):
        counts[ids[at]] += 1
    norm = 0.0
    for at in range(len(ids)):
        count = counts[ids[at]]
        shares[at] = _weight(ids[at], count, terms) / count
        norm += shares[at] ** 2 * count  # each of the feature's occurrences adds its part of the square
    scale = 1.0 / math.sqrt(norm) if len(ids) else 0.0
    for at in range(len(ids)):
        shares[at] *= scale
        counts[ids[at]] = 0


@_inner
def _weight(place: Any, count: int, terms: Any) -> Any:
    """(1 + ln count) * idf"""
    return (terms.logs[count] if count < LOGS else 1.0 + math.log(count)) * terms.idf[place]


@_inner
def _longest(starts: Array) -> Any:
    longest = 0
    for text in range(len(starts) - 1):
        longest = max(longest, starts[text + 1] - starts[text])
    return longest


@_inner
def _portion_out(found: int, terms: Any, scratch: Any) -> None:
    """Fills scratch.shares for the features counted: the weight of each over its count, the weights together of length 1."""
    counts, touched, shares = scratch.counts, scratch.touched, scratch.shares
    norm = 0.0
    for at in range(found):
        weight = _weight(touched[at], counts[touched[at]], terms)
        norm += weight * weight
        shares[touched[at]] = weight / counts[touched[at]]
    scale = 1.0 / math.sqrt(norm) if found else 0.0
    for at in range(found):
        shares[touched[at]] *= scale


@_inner
def _add_share(place: Any, piece: int, shares: Array, weights: Array, sums: Array) -> None:
    """Adds one occurrence of a feature to the piece it stands in."""
    share, row, target = shares[place], np.uint64(place), np.uint64(piece)
    for lane in range(sums.shape[1]):
        sums[target, lane] += share * weights[row, lane]


@_inner
def _phrases_by_piece(
    block: Array, terms: Any, hashes: Array, tokens: int, piece: Array, scratch: Any, weights: Array, sums: Array
) -> None:
    start, shift = np.uint64(block[3]), np.uint64(block[4])
    for token in range(tokens):
        phrase = np.uint64(0)
        for size in range(1, min(block[2], tokens - token) + 1):
            phrase = phrase * SECOND + hashes[token + size - 1]
            if size >= block[1] and _sifted(phrase * MIX, start, shift, terms):
                place, _ = _find(phrase * MIX, terms.slots, start, shift, terms.keys)
                if place >= 0:
                    _add_share(place, piece[token], scratch.shares, weights, sums)


@_inner
def _subwords_by_piece(
    number: int,
    terms: Any,
    points: Array,
    begin: Array,
    end: Array,
    hashes: Array,
    tokens: int,
    piece: Array,
    scratch: Any,
    weights: Array,
    sums: Array,
) -> None:
    block, slots, words = terms.blocks[number], scratch.slots[number], scratch.words[number]
    pool, spans, shares = scratch.pool[number], scratch.spans[number], scratch.shares
    few = np.empty(block[2], dtype=np.int32)
    for token in range(tokens):
        first, last = begin[token], end[token]
        word = np.int64(-1)
        if last - first <= LONGEST_KEPT:
            word, _ = _recall(hashes[token] * MIX, slots, words)
        if word >= 0:
            for at in range(spans[word], spans[word + 1]):
                _add_share(pool[at], piece[token], shares, weights, sums)
            continue
        for head in range(last - first + 2):  # too long to be kept, or forgotten since it was counted
            for at in range(_subwords(block, terms, points, first, last, head, few, 0)):
                _add_share(few[at], piece[token], shares, weights, sums)


# --- the kernels ---------------------------------------------------------------------------------------------------


@_kernel(U64, I32, types.int64, types.int64, TERMS)
def fill_table(hashes: Array, ids: Array, start: int, shift: int, terms: Any) -> None:
    """Enters the terms of one block with their ids into its empty table."""
    for number in range(len(hashes)):
        mixed = hashes[number] * MIX
        terms.sieve[start + np.int64(mixed >> np.uint64(shift))] |= np.uint8(
            ONE << ((mixed >> np.uint64(shift - 3)) & np.uint64(7))
        )
        _, slot = _find(mixed, terms.slots, np.uint64(start), np.uint64(shift), terms.keys)
        terms.slots[slot], terms.keys[ids[number]] = _entry(mixed, ids[number]), mixed


@_kernel(U8, I64, U32, TERMS, SCRATCH, types.Array(types.float32, 2, "C"), _array(types.float64, 2))
def add_up(text: Array, starts: Array, fold: Array, terms: Any, scratch: Any, weights: Array, sums: Array) -> None:
    """Sums of weight times model weight: of text[starts[d]:starts[d + 1]] into sums[d], both LANES wide or a multiple.

    The order of the additions is that in which features first stand in the text, so the sums of a text are the same to the
    last bit whatever it is scored beside and whatever was scored before.
    """
    longest = _longest(starts)
    points = np.empty(longest, dtype=np.uint32)
    begin, end = np.empty(longest // 2 + 2, dtype=np.int32), np.empty(longest // 2 + 2, dtype=np.int32)
    hashes = np.empty(longest // 2 + 2, dtype=np.uint64)
    counts, touched = scratch.counts, scratch.touched
    for document in range(len(starts) - 1):
        tokens = _tokenise(text, starts[document], starts[document + 1], fold, points, begin, end, hashes)
        for number in range(len(terms.blocks)):
            found = _count(number, terms, points, begin, end, hashes, tokens, scratch)
            if found == 0:
                continue
            for lane in range(0, sums.shape[1], LANES):
                norm = a = b = c = d = e = f = g = h = 0.0
                for at in range(found):
                    place = np.uint64(touched[at])  # unsigned: numba need not ask whether it counts from the end
                    weight = _weight(place, counts[place], terms)
                    norm += weight * weight
                    a += weight * weights[place, lane]
                    b += weight * weights[place, lane + 1]
                    c += weight * weights[place, lane + 2]
                    d += weight * weights[place, lane + 3]
                    e += weight * weights[place, lane + 4]
                    f += weight * weights[place, lane + 5]
                    g += weight * weights[place, lane + 6]
                    h += weight * weights[place, lane + 7]
                scale = 1.0 / math.sqrt(norm)
                sums[document, lane] += a * scale
                sums[document, lane + 1] += b * scale
                sums[document, lane + 2] += c * scale
                sums[document, lane + 3] += d * scale
                sums[document, lane + 4] += e * scale
                sums[document, lane + 5] += f * scale
                sums[document, lane + 6] += g * scale
                sums[document, lane + 7] += h * scale
            for at in range(found):
                counts[touched[at]] = 0


@_kernel(U8, I64, U32, TERMS, SCRATCH, types.Array(types.float32, 2, "C"), _array(types.float64, 2))
def add_up_by_piece(
    text: Array, closing: Array, fold: Array, terms: Any, scratch: Any, weights: Array, sums: Array
) -> None:
    """What each piece of one text adds to the text's sums (see `add_up`): of the piece that ends before the folded code point
    closing[p] into sums[p]. A feature's weight is shared among its occurrences, and a phrase belongs to where it begins."""
    points = np.empty(len(text), dtype=np.uint32)
    begin, end = np.empty(len(text) // 2 + 2, dtype=np.int32), np.empty(len(text) // 2 + 2, dtype=np.int32)
    hashes = np.empty(len(text) // 2 + 2, dtype=np.uint64)
    tokens = _tokenise(text, 0, len(text), fold, points, begin, end, hashes)
    piece, now = np.empty(tokens, dtype=np.int32), 0
    for token in range(tokens):
        while now < len(closing) - 1 and begin[token] >= closing[now]:
            now += 1
        piece[token] = now
    for number in range(len(terms.blocks)):
        block = terms.blocks[number]
        found = _count(number, terms, points, begin, end, hashes, tokens, scratch)
        if found == 0:
            continue
        _portion_out(found, terms, scratch)
        for at in range(found):
            scratch.counts[scratch.touched[at]] = 0
        if block[0] == WORD:
            _phrases_by_piece(block, terms, hashes, tokens, piece, scratch, weights, sums)
        else:
            _subwords_by_piece(number, terms, points, begin, end, hashes, tokens, piece, scratch, weights, sums)


@_kernel(U8, U32, TERMS, SCRATCH)
def take_apart(text: Array, fold: Array, terms: Any, scratch: Any) -> Any:
    """One text to the last term: of its tokens the points, begin, end (int64) and hashes; of each occurrence of a known term,
    block by block and in the text's order, int64 token, id and width, and float64 share of the feature's weight."""
    points = np.empty(len(text), dtype=np.uint32)
    begin, end = np.empty(len(text) // 2 + 2, dtype=np.int64), np.empty(len(text) // 2 + 2, dtype=np.int64)
    hashes = np.empty(len(text) // 2 + 2, dtype=np.uint64)
    tokens = _tokenise(text, 0, len(text), fold, points, begin, end, hashes)
    filled, room = 0, 0
    for number in range(len(terms.blocks)):
        sizes = terms.blocks[number, 2] - terms.blocks[number, 1] + 1
        for token in range(tokens):
            room += sizes if terms.blocks[number, 0] == WORD else sizes * (end[token] - begin[token] + 2)
    owner, ids, width = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    shares = np.empty(room, np.float64)  # memory is taken as it is written to, so what is not known costs none
    for number in range(len(terms.blocks)):
        first = filled
        if terms.blocks[number, 5] == 0:
            continue
        if terms.blocks[number, 0] == WORD:
            filled = _phrases_of(terms.blocks[number], terms, hashes, tokens, owner, ids, width, filled)
        else:
            filled = _subwords_of(number, terms, points, begin, end, hashes, tokens, scratch, owner, ids, filled)
            width[first:filled] = 1
        _share_out(ids[first:filled], terms, scratch.counts, shares[first:filled])
    found = (points, begin[:tokens].copy(), end[:tokens].copy(), hashes[:tokens].copy())
    return found, (owner[:filled].copy(), ids[:filled].copy(), width[:filled].copy()), shares[:filled].copy()


@_kernel(U8, U32, TERMS)
def count_words(text: Array, fold: Array, terms: Any) -> Any:
    """How many tokens a text has, and how many of them are terms of the first block."""
    points = np.empty(len(text), dtype=np.uint32)
    begin, end = np.empty(len(text) // 2 + 2, dtype=np.int32), np.empty(len(text) // 2 + 2, dtype=np.int32)
    found = np.empty(len(text) // 2 + 2, dtype=np.uint64)
    tokens = _tokenise(text, 0, len(text), fold, points, begin, end, found)
    start, shift = np.uint64(terms.blocks[0, 3]), np.uint64(terms.blocks[0, 4])
    likely, known = np.uint64(0), 0
    for token in range(tokens):
        found[likely] = found[token] * MIX
        likely += _sifted(found[likely], start, shift, terms)
    for token in range(likely):
        known += _find(found[token], terms.slots, start, shift, terms.keys)[0] >= 0
    return tokens, known
