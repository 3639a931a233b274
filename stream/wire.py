"""Wire copy: an article as plain text, with what agencies put around it, to the fields of plain JSON.

    date 2024-05-01
    Portville [Northland], May 1 (XYZ): The river rose overnight ... (XYZ)

All but the body is optional. A dateline is taken off only where it surely is one; else the text stays whole.
"""

import re
from hashlib import sha256

NAMES = {"id": "text", "text": "text", "published": "date"}
"""What the fields of plain JSON are in wire copy, for the sentences of refusals."""

_DATE = re.compile(r"date(?:[ \t]{1,8}|:[ \t]{0,8})([0-9]{4}-[0-9]{2}-[0-9]{2})(?![\w-])\s*+", re.IGNORECASE)
_DASH = r"(?:\u2014|\u2013|--)"
# Both look at a bounded stretch of the first line, so a hostile text costs no more than a short one.
_CREDITED = re.compile(rf"([^()\n]{{0,120}})\(([A-Z][\w .&/'-]{{1,40}})\)[ \t]{{0,8}}(?::|{_DASH}|-)(?!\w)\s*+")
_BARE = re.compile(rf"([^()\n:\u2013\u2014]{{2,80}}?)[ \t]{{0,8}}{_DASH}(?!-)\s*+")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_DAY = re.compile(
    rf",?[ \t]{{0,8}}(?<![^\s,])(?:{_MONTH}[ \t]{{1,8}}[0-9]{{1,2}}|[0-9]{{1,2}}[ \t]{{1,8}}{_MONTH})"
    r"(?:,?[ \t]{1,8}[0-9]{4})?,?[ \t]{0,8}\Z",
    re.IGNORECASE,
)
_BETWEEN_PLACES = re.compile(r"[,/\[\]]")
_SIGN_OFF = re.compile(r"(?:[.!?\"'\u201d\u2019]|\n)\s{0,8}\(([A-Z][\w .&/'-]{1,40})\)\Z")
_JOINING = frozenset(re.findall(r"\w+", "al and da das de del des di do dos du el es i la las le los of the und y"))
_AGENCIES = frozenset(("AFP", "ANI", "AP", "CNN", "DPA", "EFE", "IANS", "PTI", "REUTERS", "TASS", "UPI", "XINHUA"))
# Slugs that stand where a place would, in the capitals of a place.
_SLUGS = frozenset(
    re.findall(
        r"\w+",
        """advisory alert analysis breaking bulletin corrected correction developing editorial exclusive
        explainer factbox feature flash interview latest live news opinion photos podcast profile recap review
        special summary timeline update updated updates urgent video watch writethru""",
    )
)
_PADDING = " \t-\xad\ufeff"  # soft hyphens and byte order marks linger in copied datelines


def plain_fields(copy: str) -> dict[str, object]:
    """The copy under the names of plain JSON; `published` as it is written.

    The id is the SHA-256, in hex, of the whole copy (date and dateline too) as UTF-8, with `\\r\\n` made
    `\\n` and the white space around it taken off: copy sent twice has one id, the same words of another day
    another.
    """
    copy = copy.replace("\r\n", "\n").strip()
    dated = _DATE.match(copy)
    text = copy[dated.end() :] if dated else copy
    text, places, source = _without_dateline(text)
    text, source = _without_sign_off(text, source)
    return {
        "id": sha256(copy.encode()).hexdigest(),
        "text": text,
        "published": dated[1] if dated else None,
        "source": source,
        "places": places,
    }


def _without_dateline(text: str) -> tuple[str, list[str], str | None]:
    credited = _CREDITED.match(text)
    if credited and (places := _places(credited[1])) is not None:
        return text[credited.end() :], places, credited[2].strip()
    bare = _BARE.match(text)
    if bare and bare[1] in _AGENCIES:
        return text[bare.end() :], [], bare[1]
    if bare and _is_bare_dateline(bare[1]) and (places := _places(bare[1])):
        return text[bare.end() :], places, None
    return text, [], None


def _places(head: str) -> list[str] | None:
    """The places before a dateline's credit or dash; [] when there are none, None when it is no dateline."""
    head = _DAY.sub("", head)
    parts = [part for piece in _BETWEEN_PLACES.split(head) if (part := piece.strip(_PADDING))]
    if len(parts) > 6 or not all(_is_place(part) for part in parts):
        return None
    return parts


def _is_place(part: str) -> bool:
    words = part.split()
    if not 1 <= len(words) <= 5 or any(sign.isdigit() for sign in part) or words[0].lower() in _SLUGS:
        return False
    return all(not word[0].islower() or word in _JOINING for word in words)


def _is_bare_dateline(head: str) -> bool:
    """No agency vouches for it: so capitals, and a day, a second place or more letters than acronyms have."""
    city = _BETWEEN_PLACES.split(_DAY.sub("", head))[0].strip()
    return city.isupper() and (len(city) > 4 or city != head.strip())


def _without_sign_off(text: str, source: str | None) -> tuple[str, str | None]:
    signed = _SIGN_OFF.search(text, max(0, len(text) - 80))
    if not signed:
        return text, source
    agency = signed[1].strip()
    known = agency.casefold() == source.casefold() if source else agency.upper() in _AGENCIES
    if not known:
        return text, source
    return text[: signed.start(1) - 1].rstrip(), source or agency
