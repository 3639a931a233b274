"""Bytes from the stream to an `Article`, or to the reason why not.

Pure: no clock, files, environment or logging; the worker, the trainer and the command line share this border.
The three forms (plain JSON, ninjs, wire copy) become the fields of plain JSON and are checked there, once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from stream import ninjs, wire

MAX_BYTES = 1_000_000  # Kafka's own default for a record


class Status(StrEnum):
    """What the sender says may be done with the article (IPTC pubStatus)."""

    USABLE = "usable"
    WITHHELD = "withheld"
    CANCELED = "canceled"


class Reason(StrEnum):
    """Why a record was refused: a closed list, also the values of the metric label `reason`."""

    NOT_UTF8 = "not_utf8"
    LONE_SURROGATE = "lone_surrogate"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    MISSING_FIELD = "missing_field"
    WRONG_FIELD = "wrong_field"
    EMPTY_TEXT = "empty_text"
    TOO_LARGE = "too_large"
    CORRUPT_RECORD = "corrupt_record"


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that is no article. `detail` is one sentence: what is wrong, where, and what to do."""

    reason: Reason
    detail: str


class Article(msgspec.Struct, frozen=True):
    """One version of one article, checked; `parse_article` is the way to make one from bytes.

    id         1..512 characters, no control characters, no leading space
    text       the sender's, with `\\r\\n` made `\\n`; empty only when canceled; offsets count its characters
    published  in UTC; a bare date means its midnight
    language   shaped like a BCP 47 tag
    url        http or https
    version    1 or more; a higher one replaces a lower one of the same id
    urgency    1 (highest) to 9, on the sender's own scale
    places     names as the sender wrote them, without repeats
    """

    id: str
    text: str
    headline: str | None = None
    published: datetime | None = None
    source: str | None = None
    language: str | None = None
    url: str | None = None
    version: int = 1
    status: Status = Status.USABLE
    urgency: int | None = None
    places: tuple[str, ...] = ()


class BadArticle(ValueError):  # house style
    """Raised inside the parser only; `parse_article` turns it into a `Refused`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.refused = Refused(reason, detail)


_Short = Annotated[str, Meta(max_length=512)]
_Id = Annotated[str, Meta(max_length=512, pattern=r"\A[^\x00-\x20\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*\Z")]
_Language = Annotated[str, Meta(max_length=35, pattern=r"\A(?:[A-Za-z]{2,3}|[xi](?=-))(?:-[A-Za-z0-9]{1,8})*\Z")]
# Only the web's schemes: dashboards make links of it, and `javascript:` is a link too.
_Url = Annotated[str, Meta(max_length=2_048, pattern=r"\A(?i:https?)://[^\s\x00-\x1f\x7f]+\Z")]


class _Plain(msgspec.Struct):
    """The fields of plain JSON. `null` is absent; of repeated keys the last wins; other keys are not read."""

    id: _Id | None = None
    text: str | None = None
    headline: Annotated[str, Meta(max_length=10_000)] | None = None
    published: Annotated[str, Meta(max_length=64)] | None = None
    source: _Short | None = None
    language: _Language | None = None
    url: _Url | None = None
    version: Annotated[int, Meta(ge=1, le=2_147_483_647)] | None = None
    status: Status | None = None
    urgency: Annotated[int, Meta(ge=1, le=9)] | None = None
    places: Annotated[list[_Short], Meta(max_length=1_000)] | None = None


class _Marks(msgspec.Struct):
    """The keys that tell ninjs from plain JSON; a Raw value is stepped over, and its bytes kept."""

    uri: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()
    text: msgspec.Raw = msgspec.Raw()


class _Form(StrEnum):
    JSON = "json"
    NINJS = "ninjs"
    WIRE = "wire"


_PLAIN = msgspec.json.Decoder(_Plain)
_NINJS = msgspec.json.Decoder(ninjs.Ninjs)
_MARKS = msgspec.json.Decoder(_Marks)
_Moment = Annotated[datetime, Meta(tz=True)]
_Document = TypeVar("_Document")
_FIRST_BRACE = re.compile(r"\s*+\{")
# Pairs are taken whole and escaped backslashes are stepped over, so what is left in the group stands alone.
_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


def parse_article(value: bytes, content_type: str | None = None, *, max_bytes: int = MAX_BYTES) -> Article | Refused:
    """The article in `value`, or the reason it is refused; raises nothing, whatever the bytes.

    `content_type` (a media type, parameters ignored) decides the form: `application/json`, one that names
    `ninjs`, `text/plain` for wire copy. Without it, or with another, the first character does: `{` is JSON,
    anything else wire copy. JSON with a `uri` that lacks `id` or `text` is ninjs. Takes time linear in
    len(value).
    """
    try:
        return _parse(value, content_type, max_bytes)
    except BadArticle as fault:
        return fault.refused


def _parse(value: bytes, content_type: str | None, max_bytes: int) -> Article:
    if len(value) > max_bytes:
        raise BadArticle(
            Reason.TOO_LARGE,
            f"The record has {len(value)} bytes and {max_bytes} are allowed; shorten it or raise the limit.",
        )
    body = value.removeprefix(b"\xef\xbb\xbf")
    text = _utf8(body)
    form = _form(text, content_type)
    if form is _Form.WIRE:
        return _from_fields(wire.plain_fields(text), wire.NAMES)
    if form is _Form.NINJS or _is_ninjs(body):
        return _from_fields(ninjs.plain_fields(_decode(_NINJS, body)), ninjs.NAMES)
    return _article(_decode(_PLAIN, body), {})


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as fault:
        raise BadArticle(
            Reason.NOT_UTF8,
            f"The record is not UTF-8 at byte {fault.start} ({fault.reason}); send it encoded as UTF-8.",
        ) from None


def _form(text: str, content_type: str | None) -> _Form:
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == "text/plain":
        return _Form.WIRE
    if "ninjs" in kind:
        return _Form.NINJS
    if kind == "application/json" or _FIRST_BRACE.match(text):
        return _Form.JSON
    return _Form.WIRE


def _is_ninjs(body: bytes) -> bool:
    if b'"uri"' not in body:  # cheap, and true of nearly all plain JSON
        return False
    marks = _decode(_MARKS, body)
    return _given(marks.uri) and not (_given(marks.id) and _given(marks.text))


def _given(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _decode(decoder: msgspec.json.Decoder[_Document], body: bytes) -> _Document:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as fault:
        raise _wrong_field(str(fault), {}) from None
    except msgspec.DecodeError as fault:
        raise _not_json(body, str(fault)) from None
    except RecursionError:
        raise BadArticle(
            Reason.TOO_DEEP,
            "The record nests its arrays or objects too deep to read; send a flatter document.",
        ) from None


def _not_json(body: bytes, fault: str) -> BadArticle:
    lone = next((found for found in _SURROGATE.finditer(body) if found[1]), None)
    if lone:
        return BadArticle(
            Reason.LONE_SURROGATE,
            f"The surrogate \\{lone[1].decode()} at byte {lone.start()} stands alone; send whole characters.",
        )
    return BadArticle(
        Reason.NOT_JSON,
        f"The record is not JSON ({fault}); send one JSON object, or wire copy as text/plain.",
    )


def _from_fields(fields: Mapping[str, object], names: Mapping[str, str]) -> Article:
    try:
        plain = msgspec.convert(fields, _Plain)
    except msgspec.ValidationError as fault:
        raise _wrong_field(str(fault), names) from None
    return _article(plain, names)


def _wrong_field(fault: str, names: Mapping[str, str]) -> BadArticle:
    """From msgspec's sentence, such as "Expected `str`, got `int` - at `$.id`"; it may quote a long value."""
    what, _, where = fault.rpartition(" - at `$.")
    if not what:
        return BadArticle(Reason.WRONG_FIELD, f"The record itself is wrong ({fault}); send one JSON object.")
    field = where.rstrip("`")[:100]
    return BadArticle(
        Reason.WRONG_FIELD,
        f"Field `{names.get(field, field)}` is wrong ({what[:200]}); correct it and send again.",
    )


def _article(plain: _Plain, names: Mapping[str, str]) -> Article:
    if plain.id is None:
        name = names.get("id", "id")
        raise BadArticle(Reason.MISSING_FIELD, f"Field `{name}` is missing; every article needs its own.")
    status = plain.status or Status.USABLE
    return Article(
        id=plain.id,
        text=_text(plain.text, status, names),
        headline=_named(plain.headline),
        published=_published(plain.published, names),
        source=_named(plain.source),
        language=plain.language,
        url=plain.url,
        version=plain.version or 1,
        status=status,
        urgency=plain.urgency,
        places=_places(plain.places),
    )


def _text(text: str | None, status: Status, names: Mapping[str, str]) -> str:
    if text and not text.isspace():
        return text.replace("\r\n", "\n") if "\r" in text else text  # one character is found ten times faster
    if status is Status.CANCELED:  # a kill notice often has none
        return ""
    name = names.get("text", "text")
    if text is None:
        raise BadArticle(Reason.MISSING_FIELD, f"Field `{name}` is missing; send the article's text in it.")
    raise BadArticle(Reason.EMPTY_TEXT, f"Field `{name}` holds no text to classify; send the article's text in it.")


def _published(written: str | None, names: Mapping[str, str]) -> datetime | None:
    if written is None:
        return None
    try:
        if len(written) == 10:
            return datetime.combine(msgspec.convert(written, date), time(), UTC)
        return msgspec.convert(written, _Moment).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):  # overflow: an offset leads out of the years 1..9999
        name = names.get("published", "published")
        raise BadArticle(
            Reason.WRONG_FIELD,
            f"Field `{name}` is wrong ({written!r} is no time); write 2024-05-01T12:00:00Z or 2024-05-01.",
        ) from None


def _named(name: str | None) -> str | None:
    return (name.strip() or None) if name else None


def _places(names: list[str] | None) -> tuple[str, ...]:
    if not names:
        return ()
    return tuple(dict.fromkeys(kept for name in names if (kept := name.strip())))
