"""ninjs, the IPTC's "News in JSON", 1.x to 3.x, to the fields of plain JSON.

Source: the IPTC's JSON Schemas 1.0 to 3.3. 1.x has `headline`, `body_*` and singular lists; 2.x is lower case
with `headlines[]`, `bodies[]` and plural lists; 3.x is 2.x in camel case. One struct reads all: senders mix
them.
"""

import re
from collections.abc import Sequence
from html import unescape

import msgspec
from msgspec import field

NAMES = {
    "id": "uri",
    "text": "body_text, body_xhtml or bodies",
    "published": "versioncreated or versionCreated",
    "status": "pubstatus or pubStatus",
    "source": "infosource, infosources, infoSources or copyrightholder",
}
"""How ninjs calls the fields of plain JSON, for the sentences of refusals."""

_LOOKS_LIKE_HTML = re.compile(r"\s*+<[a-zA-Z!?/]")
_BLOCK, _LINE = "\x1e", "\x1f"  # also white space to str.split(), so a document's own do no harm
_BLOCKS = re.findall(
    r"\w+",
    """address article aside blockquote body caption center dd details dialog dir div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hl1 hl2 hr html legend li main menu nav ol
    optgroup p pre search section summary table tbody tfoot thead tr ul""",
)
_BREAKS = dict.fromkeys(_BLOCKS, _BLOCK) | {"br": _LINE, "td": " ", "th": " "}

_ATTRIBUTES = r"""(?:[^=>]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+"""
# Every branch eats all it has looked at, if need be to the end of the document: nothing is looked at twice.
_MARKUP = re.compile(
    rf"""<(?:
      !--(?:.*?-->|.*+)
    | (?P<mute>script|style|title|template|noscript|iframe|svg|audio|video|button|select)(?=[\s/>])
      {_ATTRIBUTES}>?+(?:.*?</(?P=mute)(?=[\s/>])[^>]*+>?+|.*+)
    | (?P<legend>figcaption)(?=[\s/>]){_ATTRIBUTES}>?+(?:.*?</fig(?:caption|ure)(?=[\s/>])[^>]*+>?+|.*+)
    | /?+(?P<name>[a-z][^\s/>]*+){_ATTRIBUTES}>?+
    | [!?/][^>]*+>?+
    )""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE | re.ASCII,
)
# html.unescape makes numbers of them, and Python refuses to make one of over 4,300 digits.
_LONG_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
_GAP = re.compile(r"\n{3,}")


class Passage(msgspec.Struct):
    """One of `headlines[]` or `bodies[]`."""

    value: str = ""
    role: str | None = None
    contenttype: str | None = None
    content_type: str | None = field(name="contentType", default=None)


class Named(msgspec.Struct):
    """One of the places or sources; only the name is of use here."""

    name: str | None = None


class Ninjs(msgspec.Struct):
    """The part of a ninjs document that an article is made of, under the names of all three generations."""

    uri: str | None = None
    version: int | str | None = None
    urgency: int | float | None = None
    language: str | None = None
    pubstatus: str | None = None
    pub_status: str | None = field(name="pubStatus", default=None)
    versioncreated: str | None = None
    version_created: str | None = field(name="versionCreated", default=None)
    firstcreated: str | None = None
    first_created: str | None = field(name="firstCreated", default=None)
    headline: str | None = None
    headline_main: str | None = None
    headlines: list[Passage] | None = None
    title: str | None = None
    body_text: str | None = None
    body_plain: str | None = None
    body_main: str | None = None
    body_xhtml: str | None = None
    body_html: str | None = None
    body_html5: str | None = None
    body_richtext: str | None = None
    bodies: list[Passage] | None = None
    place: list[Named] | None = None
    places: list[Named] | None = None
    located: str | None = None
    source: str | None = None
    infosource: list[Named] | None = None
    infosources: list[Named] | None = None
    info_sources: list[Named] | None = field(name="infoSources", default=None)
    copyrightholder: str | None = None
    copyright_holder: str | None = field(name="copyrightHolder", default=None)


def plain_fields(item: Ninjs) -> dict[str, object]:
    """The item under the names of plain JSON, not yet checked; a text that is nowhere is "".

    No `url`: the standard says that `uri` names the item and is no link.
    """
    return {
        "id": item.uri,
        "text": _body(item),
        "headline": _headline(item),
        "published": item.version_created or item.versioncreated or item.first_created or item.firstcreated,
        "source": _source(item),
        "language": item.language,
        "version": _whole(item.version),
        "status": item.pub_status or item.pubstatus,
        "urgency": _whole(item.urgency),
        "places": _names(item.places) or _names(item.place) or ([item.located] if item.located else None),
    }


def _body(item: Ninjs) -> str:
    """The main body; plain text before markup, and another body only where the better one is empty."""
    for text in (item.body_text, item.body_plain, item.body_main):
        if text and not text.isspace():
            return text_of_html(text) if _LOOKS_LIKE_HTML.match(text) else text
    for html in (item.body_xhtml, item.body_html, item.body_html5, item.body_richtext):
        if html and (text := text_of_html(html)):
            return text
    return _best(item.bodies or ())


def _headline(item: Ninjs) -> str | None:
    return item.headline or item.headline_main or _best(item.headlines or ()) or item.title


def _best(passages: Sequence[Passage]) -> str:
    for passage in sorted(passages, key=_rank):
        text = text_of_html(passage.value) if _is_html(passage) else passage.value
        if text and not text.isspace():
            return text
    return ""


def _rank(passage: Passage) -> tuple[bool, bool]:
    """Roles are free text in ninjs; `main` is what its guidelines use, and a lone passage often has none."""
    return (passage.role or "main").lower() != "main", _is_html(passage)


def _is_html(passage: Passage) -> bool:
    kind = (passage.content_type or passage.contenttype or "").lower()
    return "html" in kind or "xml" in kind or (not kind and _LOOKS_LIKE_HTML.match(passage.value) is not None)


def _source(item: Ninjs) -> str | None:
    names = _names(item.info_sources) or _names(item.infosources) or _names(item.infosource)
    return item.source or (names[0] if names else None) or item.copyright_holder or item.copyrightholder


def _names(items: Sequence[Named] | None) -> list[str]:
    return [item.name for item in items or () if item.name and not item.name.isspace()]


def _whole(number: float | str | None) -> float | str | None:
    """ninjs writes versions as strings, and urgency as a number that older schemas let be 3.0."""
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= 10:
        return int(number)
    if isinstance(number, float) and number.is_integer():
        return int(number)
    return number


def text_of_html(html: str) -> str:
    """The words a reader would see: a blank line between paragraphs, `<br>` a line break, other space single.

    Left out: comments, scripts, styles, titles, controls, players, drawings and the captions of figures. What
    is never closed ends with the document. Takes any string, in linear time; "" where nothing is to be read.

    No HTML5 tree is built: by the standard itself (scope checks, reconstruction of formatting) that work
    grows with the square of the nesting, and one record of 1 MB could stop the stream for a minute. Text
    needs no tree; the tests hold this equal to a tree builder on ordinary documents.
    """
    marked = _MARKUP.sub(_break, html)
    if "&" in marked:
        marked = unescape(_LONG_REFERENCE.sub("\ufffd", marked))
    blocks = (_lines(block) for block in marked.split(_BLOCK))
    return "\n\n".join(block for block in blocks if block)


def _break(tag: re.Match[str]) -> str:
    name = tag["name"]
    if name is None:
        return _BLOCK if tag["legend"] else ""
    return _BREAKS.get(name.lower(), "")


def _lines(block: str) -> str:
    if _LINE not in block:
        return " ".join(block.split())
    lines = "\n".join(" ".join(line.split()) for line in block.split(_LINE))
    return _GAP.sub("\n\n", lines).strip("\n")
