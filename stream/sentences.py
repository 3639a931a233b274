"""Sentences: where the sentences of a text begin and end, in time linear in its length."""

import re
from typing import Final

LONGEST: Final = 600  # characters; beyond it a "sentence" is cut at white space, so that evidence stays readable
PASSAGE: Final = 30  # words
FEWEST_WORDS: Final = 5  # a shorter line is a caption, a byline or a sign-off
# A sign and what closes it, then white space; or line breaks. Written so that `re` skips at once to the next of the four.
BREAK: Final = re.compile(r"[.!?\n](?:(?<!\n)['\")\]”’»]*\s+|(?<=\n)\n*)")
ABBREVIATION: Final = re.compile(
    r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|Prof|Gen|Col|Lt|Maj|Capt|Sgt|Adm|Brig|Sen|Rep|Gov|Rev|St|Jr|Sr|No|vs|approx|Jan|Feb|"
    r"Aug|Sept|Sep|Oct|Nov|Dec|[Uu]\.[SsKkNn]|a\.m|p\.m|e\.g|i\.e))\.$"
)
OPENING: Final = "'\"([“‘„«"
CLOSING: Final = "'\")]”’»“ .,;:!?…"
NOTICE: Final = re.compile(
    r"\b(?:cookies?|newsletter|subscri(?:be|ption)|sign up|log in|javascript|ad ?blocker|advertisement|all rights reserved|"
    r"privacy policy|terms of (?:use|service)|click here|read more|file photo|photo by|getty images)\b",
    re.IGNORECASE,
)

# A part of each of NOTICE's alternatives: to look for these first costs a tenth of the search.
NOTICE_HINTS: Final = (
    "cookie", "newsletter", "subscri", "sign up", "log in", "javascript", "blocker", "advertisement", "rights reserved",
    "privacy policy", "terms of", "click here", "read more", "file photo", "photo by", "getty images",
)  # fmt: skip


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans [begin, end) of the sentences of `text`, in order, white space around them left out."""
    cuts, begin = [], 0
    for found in BREAK.finditer(text):
        if "\n" not in found[0] and ABBREVIATION.search(text, max(begin, found.start() - 8), found.start() + 1):
            continue
        cuts.extend(_pieces(text, begin, found.end()))
        begin = found.end()
    cuts.extend(_pieces(text, begin, len(text)))
    return [span for span in (_trimmed(text, *cut) for cut in cuts) if span[0] < span[1]]


def passages(text: str) -> list[str]:
    """`text` cut into passages of about PASSAGE words at the ends of paragraphs, or of sentences where a paragraph is long."""
    return [text[begin:end] for begin, end in passage_spans(text)]


def passage_spans(text: str) -> list[tuple[int, int]]:
    """The spans [begin, end) of the `passages` of `text`, in order; none reaches over a line break."""
    spans: list[tuple[int, int]] = []
    begin = 0
    for line in text.split("\n"):
        words = line.count(" ") + 1
        if words >= FEWEST_WORDS:
            cuts = [(0, len(line))] if words <= 2 * PASSAGE else _grouped(line)
            spans.extend((begin + start, begin + end) for start, end in cuts)
        begin += len(line) + 1
    return spans


def _grouped(paragraph: str) -> list[tuple[int, int]]:
    groups, begin = [], 0
    for _, end in sentences(paragraph):
        if paragraph.count(" ", begin, end) + 1 >= PASSAGE:
            groups.append((begin, end))
            begin = end
    rest = _trimmed(paragraph, begin, len(paragraph))
    return [*groups, rest] if rest[0] < rest[1] else groups


def is_notice(sentence: str) -> bool:
    """Does this look like a web page talking about itself (cookies, subscriptions, photo credits) rather than news?"""
    plain = " ".join(sentence.split())
    lowered = plain.lower()
    return any(hint in lowered for hint in NOTICE_HINTS) and NOTICE.search(plain) is not None


def same_said(sentence: str) -> str:
    """What is left of `sentence` when all is put aside that copies of it differ in: white space, case, quotes, closing signs."""
    return " ".join(sentence.split()).casefold().rstrip(CLOSING).lstrip(OPENING)


def _pieces(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    pieces = []
    while end - begin > LONGEST:
        space = text.rfind(" ", begin + 1, begin + LONGEST)
        cut = space + 1 if space > 0 else begin + LONGEST
        pieces.append((begin, cut))
        begin = cut
    return [*pieces, (begin, end)]


def _trimmed(text: str, begin: int, end: int) -> tuple[int, int]:
    piece = text[begin:end]
    return begin + len(piece) - len(piece.lstrip()), begin + len(piece.rstrip())
