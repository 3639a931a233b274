"""Whatever the bytes: an `Article` that keeps its promises or a `Refused`; no exception and no long wait."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from stream.article import Article, Reason, Refused, Status, parse_article
from stream.ninjs import text_of_html
from tests.bench.bench_parse_linear import NASTY

PATIENT = settings(deadline=None)  # a busy machine is no fault of the parser's

EXAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parent / "data" / "articles").iterdir())]
TYPES = (
    None,
    "application/json",
    "application/vnd.iptc.ninjs+json; v=2",
    "text/plain; charset=utf-8",
    ";",
    "a/b",
)
SCRAPS = (
    *(b'"', b"\\", b"\\u", b"\\ud83d", b"\\udea8", b"\0", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f\x9a\xa8"),
    *(b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN", b"-1", b"1e999", b"9" * 400),
    *(b'"uri":', b'"id":', b'"text":""', b"<p>", b"<!--", b"<script>", b"</", b"&#", b"&#xD800;"),
    *(b"(ANI)", b"date ", b" -- ", b"\r\n", b"\xef\xbb\xbf", b"\x1e\x1f"),
)


def check(value: bytes, content_type: str | None) -> None:
    parsed = parse_article(value, content_type)
    assert parsed == parse_article(value, content_type)
    if isinstance(parsed, Refused):
        assert parsed.reason in Reason
        assert 20 < len(parsed.detail) < 500
        parsed.detail.encode()
        return
    assert 1 <= len(parsed.id) <= 512
    assert parsed.text.strip() or parsed.status is Status.CANCELED
    assert "\r\n" not in parsed.text
    assert len(parsed.text) <= len(value)
    assert parsed.published is None or parsed.published.tzinfo is UTC
    assert parsed.headline is None or parsed.headline.strip()
    assert parsed.version >= 1
    assert parsed.urgency is None or 1 <= parsed.urgency <= 9
    assert len(set(parsed.places)) == len(parsed.places)
    assert msgspec.json.decode(msgspec.json.encode(parsed), type=Article) == parsed


def mutated(value: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.randint(1, 4)):
        at, until = sorted(dice.choices(range(len(value) + 1), k=2))
        match dice.randrange(5):
            case 0:
                value = value[:at] + dice.choice(SCRAPS) + value[at:]
            case 1:
                value = value[:at] + dice.randbytes(dice.randint(1, 4)) + value[at + 1 :]
            case 2:
                value = value[:at] + value[min(until, at + 40) :]
            case 3:
                value = value[:until] + value[at:until] + value[until:]
            case _:
                value = value[:at]
    return value


def junk() -> Iterator[bytes]:
    dice = random.Random(20_240_501)
    for _ in range(8_000):
        yield mutated(dice.choice(EXAMPLES), dice)
    for _ in range(1_000):
        yield b"".join(dice.choices(SCRAPS, k=dice.randint(0, 30)))
    for _ in range(1_000):
        yield dice.randbytes(dice.randint(0, 300))


def test_ten_thousand_broken_records_are_all_answered() -> None:
    dice = random.Random(7)
    reasons = set()
    for value in junk():
        content_type = dice.choice(TYPES)
        check(value, content_type)
        parsed = parse_article(value, content_type)
        reasons.add(parsed.reason if isinstance(parsed, Refused) else None)
    # Proof that the junk reaches deep: read articles, and every refusal but those of size and depth.
    assert reasons == {None, *Reason} - {Reason.TOO_LARGE, Reason.TOO_DEEP, Reason.CORRUPT_RECORD}


@PATIENT
@given(st.binary(), st.none() | st.text())
def test_any_bytes_of_any_content_type_are_answered(value: bytes, content_type: str | None) -> None:
    check(value, content_type)


@PATIENT
@given(st.text(), st.sampled_from(TYPES))
@example("\x85", None)
@example("date 2024-05-01", "text/plain")
def test_any_text_is_answered(text: str, content_type: str | None) -> None:
    check(text.encode("utf-8", "surrogatepass"), content_type)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "name", "role"]), inner),
    max_leaves=4,
)
FIELDS = [
    *Article.__struct_fields__,
    *("uri", "headlines", "bodies", "place", "located", "infoSources", "versionCreated", "pubstatus"),
    *("body_text", "body_xhtml"),
]


@PATIENT
@given(st.dictionaries(st.sampled_from(FIELDS), JSON), st.sampled_from(TYPES))
def test_any_json_in_any_field_is_answered(document: dict[str, object], content_type: str | None) -> None:
    check(msgspec.json.encode({"id": "a", "text": "b"} | document), content_type)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
NAMES = TEXTS.map(str.strip).filter(bool)
ZONES = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ARTICLES = st.builds(
    Article,
    id=st.from_regex(r"[a-z0-9:/é-]{1,40}", fullmatch=True),
    text=TEXTS.map(lambda text: text.replace("\r", "")).filter(str.strip),
    headline=st.none() | NAMES,
    published=st.none()
    | st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES).map(lambda at: at.astimezone(UTC)),
    source=st.none() | NAMES,
    language=st.none() | st.sampled_from(["en", "prs", "sr-Latn-RS"]),
    url=st.none() | st.just("https://post.example/é?a=b#c"),
    version=st.integers(1, 2**31 - 1),
    status=st.sampled_from(Status),
    urgency=st.none() | st.integers(1, 9),
    places=st.lists(NAMES, unique=True, max_size=4).map(tuple),
)


@PATIENT
@given(ARTICLES, ZONES)
def test_plain_json_says_all_that_an_article_holds(article: Article, zone: timezone) -> None:
    fields = msgspec.to_builtins(article)
    if article.published:
        fields["published"] = article.published.astimezone(zone).isoformat()
    assert parse_article(msgspec.json.encode(fields)) == article
    assert parse_article(msgspec.json.encode(article), "application/json") == article


@pytest.mark.parametrize("depth", [10, 100, 500, 900, 1_100, 10_000, 300_000])
@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_nesting_is_read_or_refused_never_a_crash(depth: int, opening: str) -> None:
    closing = {"{": "}", "[": "]"}[opening[0]]
    nested = opening * depth + "1" + closing * depth
    value = f'{{"uri":"urn:a","id":"a","text":"b","x":{nested}}}'.encode()
    parsed = parse_article(value, max_bytes=10_000_000)
    if depth <= 100:
        assert parsed == Article(id="a", text="b")
    if depth >= 1_100:
        assert isinstance(parsed, Refused)
        assert parsed.reason is Reason.TOO_DEEP


@pytest.mark.parametrize("depth", [1, 1_000, 100_000])
def test_html_may_nest_as_it_likes(depth: int) -> None:
    assert text_of_html("<div>" * depth + "deep" + "</div>" * depth) == "deep"
    assert text_of_html("<b><p>" * depth + "deep") == "deep"


INLINE = st.recursive(
    st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=12).map(escape)
    | st.sampled_from(["&nbsp;", "&#8217;", "&eacute;", "<br>", "<br/>", "<!-- <p>no</p> -->", "<img alt='a>b'>"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"<b class=x>{''.join(parts)}</b>")
        | inner.map(lambda part: f'<a href="x?a=1&b=>2">{part}</a>')
    ),
    max_leaves=5,
)
MUTE = st.sampled_from(["<script>if (a<b) '<p>'</script>", "<style>p {}</style>", "<title>no</title>"])
PAGES = st.lists(
    MUTE | st.builds(lambda tag, part: f"<{tag}>{part}</{tag}>\n", st.sampled_from(["p", "div", "h2", "li"]), INLINE)
)


@PATIENT
@given(PAGES)
def test_ordinary_html_says_the_same_as_to_a_browsers_parser(page: list[str]) -> None:
    html = "<body>" + "".join(page)
    tree = LexborHTMLParser(html)
    tree.strip_tags(["script", "style", "title"])
    seen = tree.body.text() if tree.body else ""
    assert re.sub(r"\s", "", text_of_html(html)) == re.sub(r"\s", "", seen)


@pytest.mark.parametrize("name", NASTY)
def test_a_hostile_megabyte_is_answered_in_a_moment(name: str) -> None:
    """No clock here: what is quadratic would hold this test for minutes. The bench measures the growth."""
    check(NASTY[name](990_000), None)
