"""What a sender may count on: how the three forms are read, and how a record is refused."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from stream.article import Article, Reason, Refused, Status, parse_article
from stream.ninjs import text_of_html

ARTICLES = Path(__file__).parent / "data" / "articles"

GOLDEN = {
    "plain.json": Article(
        id="northland-post:4711",
        text="The council of Portville told the people of the river quarter to leave before nightfall."
        "\n\nBuses wait at the old mill.",
        headline="River quarter told to leave",
        published=datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
        source="Northland Post",
        language="en-GB",
        url="https://post.example/4711",
        version=2,
        urgency=2,
        places=("Portville", "Northland"),
    ),
    "plain_kill.json": Article(
        id="northland-post:4711",
        text="",
        published=datetime(2024, 5, 2, tzinfo=UTC),
        version=3,
        status=Status.CANCELED,
    ),
    "ninjs_1.json": Article(
        id="urn:example:wire:20240501:17",
        text="Cabinet\n\nMinisters agreed late on Tuesday – after a week of talks.\n\nThe list is short:\nfive names.",
        headline="Ministers agree on an interim cabinet",
        published=datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
        source="Northland Wire",
        language="en",
        version=3,
        urgency=3,
        places=("Portville", "Northland"),
    ),
    "ninjs_2.json": Article(
        id="urn:example:wire:20240501:18",
        text="The camp closed on Monday.\n\nFamilies moved to the town.",
        headline="Camp at the border closes after a year",
        published=datetime(2024, 5, 1, 7, 0, tzinfo=UTC),
        source="Northland Wire",
        language="en",
        status=Status.WITHHELD,
        urgency=5,
        places=("Stonebridge",),
    ),
    "ninjs_3.json": Article(
        id="https://wire.example/items/19",
        text="Cet article est annulé : ne pas le publier.",
        headline="Retrait : article annulé",
        published=datetime(2024, 5, 2, 1, 30, tzinfo=UTC),
        source="Northland Wire Ltd",
        language="fr-CA",
        version=12,
        status=Status.CANCELED,
        urgency=1,
        places=("Stonebridge, Northland",),
    ),
    "wire_colon.txt": Article(
        id="b8d4c8be8efa7976550a7290ba8355a237304535c075a13a94fbbb49a97a24d2",
        text="The river rose by two metres overnight, the harbour office said."
        '\n\n"We moved everyone from the quay," a harbour pilot said.\n\nSchools stay closed on Thursday.',
        published=datetime(2024, 5, 1, tzinfo=UTC),
        source="ANI",
        places=("Portville", "Northland"),
    ),
    "wire_dash.txt": Article(
        id="e9f482cc729ffb3efaf191a77bd9c6efafc26eddfbb52f7561ba3af43d3f3b45",
        text="Talks on an interim cabinet broke off.\n\nBoth sides left the hall.",
        source="Reuters",
        places=("STONEBRIDGE", "PORT-LE-GRAND", "Northland"),
    ),
    "wire_bare.txt": Article(
        id="d42c02d350a83b9dfa7b752cc87dfd8f2d1efe388d06c00a6c948fb0dbd0186b",
        text="[Editors: this text begins with a bracket.]\n\nNo dateline here -- only a dash, and the (EU).",
    ),
}


def plain(**fields: object) -> bytes:
    return msgspec.json.encode({"id": "a", "text": "Some text."} | fields)


def ninjs(**fields: object) -> bytes:
    return msgspec.json.encode({"uri": "urn:a", "body_text": "Some text."} | fields)


def article(value: bytes, content_type: str | None = None) -> Article:
    parsed = parse_article(value, content_type)
    assert isinstance(parsed, Article), parsed
    return parsed


def refusal(value: bytes, content_type: str | None = None) -> Refused:
    parsed = parse_article(value, content_type)
    assert isinstance(parsed, Refused), parsed
    return parsed


@pytest.mark.parametrize("name", GOLDEN)
def test_an_example_of_every_form_is_read_whole(name: str) -> None:
    assert parse_article((ARTICLES / name).read_bytes()) == GOLDEN[name]


def test_every_example_file_is_tested() -> None:
    assert {path.name for path in ARTICLES.iterdir()} == GOLDEN.keys()


def test_the_content_type_and_the_look_of_a_record_agree() -> None:
    for name, expected in GOLDEN.items():
        kind = {
            "plain": "application/json",
            "ninjs": "application/vnd.iptc.ninjs+json",
            "wire_": "text/plain",
        }[name[:5]]
        value = (ARTICLES / name).read_bytes()
        assert parse_article(value, kind) == expected
        assert parse_article(value, f"{kind.upper()} ; charset=utf-8") == expected
        assert parse_article(value, "application/octet-stream") == expected
        assert parse_article(b"\xef\xbb\xbf" + value) == expected


def test_an_article_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        article(plain()).text = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        refusal(b"{").detail = "other"  # type: ignore[misc]


REFUSALS = {
    "bytes that are not UTF-8": (b'{"id": "\xff"}', None, Reason.NOT_UTF8, "byte 8"),
    "UTF-16": ('{"id": "a"}'.encode("utf-16"), None, Reason.NOT_UTF8, "byte 0"),
    "half a surrogate pair": (b'{"id": "a", "text": "x\\ud800y"}', None, Reason.LONE_SURROGATE, r"\ud800"),
    "the other half": (b'{"id": "a", "text": "\\\\\\udc00"}', None, Reason.LONE_SURROGATE, r"\udc00"),
    "half a pair where nobody reads": (
        b'{"id":"a","text":"b","x":"\\uD800 "}',
        None,
        Reason.LONE_SURROGATE,
        "uD800",
    ),
    "JSON cut short": (b'{"id": "a", "text": "b', None, Reason.NOT_JSON, "truncated"),
    "JSON and more": (plain() + b"{}", None, Reason.NOT_JSON, "trailing"),
    "an escaped backslash before d800": (b'{"id": "\\\\ud800', None, Reason.NOT_JSON, "truncated"),
    "a curly text": (b"{Portville} floods", None, Reason.NOT_JSON, "text/plain"),
    "text called JSON": (b"The river rose.", "application/json", Reason.NOT_JSON, "JSON"),
    "no number": (b'{"id": "a", "text": "b", "urgency": NaN}', None, Reason.NOT_JSON, "byte 36"),
    "nesting without end": (b'{"x":' + b"[" * 100_000, None, Reason.TOO_DEEP, "flatter"),
    "no id": (b'{"text": "b"}', None, Reason.MISSING_FIELD, "`id`"),
    "a null id": (plain(id=None), None, Reason.MISSING_FIELD, "`id`"),
    "no text": (b'{"id": "a"}', None, Reason.MISSING_FIELD, "`text`"),
    "no uri": (b'{"body_text": "b"}', "application/vnd.iptc.ninjs+json", Reason.MISSING_FIELD, "`uri`"),
    "an array": (b'[{"id": "a"}]', "application/json", Reason.WRONG_FIELD, "one JSON object"),
    "a scalar": (b"3", "application/json", Reason.WRONG_FIELD, "one JSON object"),
    "an id that is a number": (plain(id=17), None, Reason.WRONG_FIELD, "`id`"),
    "an empty id": (plain(id=""), None, Reason.WRONG_FIELD, "`id`"),
    "an id of two lines": (plain(id="a\nb"), None, Reason.WRONG_FIELD, "`id`"),
    "an id with a null byte": (plain(id="a\0"), None, Reason.WRONG_FIELD, "`id`"),
    "a long id": (plain(id="a" * 513), None, Reason.WRONG_FIELD, "512"),
    "text that is a list": (plain(text=["b"]), None, Reason.WRONG_FIELD, "`text`"),
    "version 0": (plain(version=0), None, Reason.WRONG_FIELD, "`version`"),
    "a version beyond 31 bits": (plain(version=2**31), None, Reason.WRONG_FIELD, "`version`"),
    "a version of 5,000 digits": (
        b'{"id":"a","text":"b","version":' + b"9" * 5_000 + b"}",
        None,
        Reason.WRONG_FIELD,
        "`version`",
    ),
    "a ninjs version in words": (ninjs(version="second"), None, Reason.WRONG_FIELD, "`version`"),
    "a ninjs version of 5,000 digits": (ninjs(version="9" * 5_000), None, Reason.WRONG_FIELD, "`version`"),
    "urgency 10": (plain(urgency=10), None, Reason.WRONG_FIELD, "`urgency`"),
    "urgency true": (plain(urgency=True), None, Reason.WRONG_FIELD, "`urgency`"),
    "urgency out of all range": (
        b'{"id":"a","text":"b","urgency":1e999}',
        None,
        Reason.WRONG_FIELD,
        "`urgency`",
    ),
    "a fractional ninjs urgency": (ninjs(urgency=2.5), None, Reason.WRONG_FIELD, "`urgency`"),
    "an unknown status": (plain(status="killed"), None, Reason.WRONG_FIELD, "`status`"),
    "an unknown ninjs status": (ninjs(pubstatus="killed"), None, Reason.WRONG_FIELD, "pubstatus"),
    "a language by its name": (plain(language="english"), None, Reason.WRONG_FIELD, "`language`"),
    "a language with an underscore": (plain(language="en_US"), None, Reason.WRONG_FIELD, "`language`"),
    "a link that runs": (plain(url="javascript:alert(1)"), None, Reason.WRONG_FIELD, "`url`"),
    "a time without a zone": (
        plain(published="2024-05-01T12:00:00"),
        None,
        Reason.WRONG_FIELD,
        "`published`",
    ),
    "a week": (plain(published="2024-W18-3"), None, Reason.WRONG_FIELD, "`published`"),
    "no day of any month": (plain(published="2024-02-30"), None, Reason.WRONG_FIELD, "`published`"),
    "a time before the year 1": (
        plain(published="0001-01-01T00:00:00+01:00"),
        None,
        Reason.WRONG_FIELD,
        "`published`",
    ),
    "a ninjs date in words": (ninjs(versionCreated="yesterday"), None, Reason.WRONG_FIELD, "versionCreated"),
    "a wire date of no month": (b"date 2024-13-01 Text.", None, Reason.WRONG_FIELD, "`date`"),
    "a deep field": (ninjs(bodies=[{"value": 3}]), None, Reason.WRONG_FIELD, "`bodies[0].value`"),
    "text of white space": (plain(text=" \n\t "), None, Reason.EMPTY_TEXT, "`text`"),
    "withheld and empty": (plain(text="", status="withheld"), None, Reason.EMPTY_TEXT, "`text`"),
    "ninjs with a picture only": (
        b'{"uri": "urn:a", "type": "picture"}',
        None,
        Reason.EMPTY_TEXT,
        "body_text",
    ),
    "markup without words": (
        ninjs(body_text="", body_xhtml="<p>&nbsp;</p>"),
        None,
        Reason.EMPTY_TEXT,
        "body_text",
    ),
    "nothing": (b"", None, Reason.EMPTY_TEXT, "text"),
    "a dateline and no more": (b"GENEVA, March 3 (Reuters) - ", None, Reason.EMPTY_TEXT, "text"),
    "too many bytes": (plain(text="b" * 1_000_000), None, Reason.TOO_LARGE, "1000000"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_record_is_refused_with_its_reason_and_a_sentence_that_says_where(name: str) -> None:
    value, content_type, reason, where = REFUSALS[name]
    refused = refusal(value, content_type)
    assert refused.reason is reason
    assert where in refused.detail
    assert refused.detail.endswith(".")
    assert ";" in refused.detail  # what is wrong; what to do
    assert len(refused.detail) < 500


def test_every_reason_has_an_example() -> None:
    assert {reason for _, _, reason, _ in REFUSALS.values()} == set(Reason) - {
        Reason.CORRUPT_RECORD
    }  # the client's, not the parser's


def test_the_limit_of_bytes_is_the_callers() -> None:
    assert isinstance(parse_article(plain(), max_bytes=len(plain())), Article)
    assert isinstance(parse_article(plain(), max_bytes=len(plain()) - 1), Refused)


def test_a_sentence_stays_short_when_the_wrong_value_is_long() -> None:
    assert len(refusal(plain(status="x" * 900_000)).detail) < 500


def test_text_keeps_all_but_the_ends_of_its_lines() -> None:
    text = "\ufeff  One.\r\n\r\n\tTwo\r\x00 \u2028three \U0001f6a8 e\u0301.  \r\n"
    assert article(plain(text=text)).text == text.replace("\r\n", "\n")


def test_null_and_unknown_fields_count_as_absent() -> None:
    nothing = dict.fromkeys(
        ("headline", "published", "source", "language", "url", "version", "status", "urgency", "places")
    )
    assert article(plain(**nothing, desk={"a": [1e300]}, uri=None)) == Article(id="a", text="Some text.")


def test_blank_names_count_as_absent_and_others_lose_the_space_around_them() -> None:
    parsed = article(plain(headline=" ", source="\t", places=["", " Portville ", "Portville"]))
    assert parsed == Article(id="a", text="Some text.", places=("Portville",))
    assert article(plain(headline=" News \n")).headline == "News"


def test_of_a_repeated_key_the_last_wins() -> None:
    assert article(b'{"id": "a", "text": "one", "text": "two"}').text == "two"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T00:00:00Z", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-05-01T05:30:00+05:30", datetime(2024, 5, 1, tzinfo=UTC)),
        ("2024-04-30t23:59:59.25-00:15", datetime(2024, 5, 1, 0, 14, 59, 250_000, tzinfo=UTC)),
    ],
)
def test_a_time_of_any_zone_becomes_utc(written: str, moment: datetime) -> None:
    published = article(plain(published=written)).published
    assert published == moment
    assert published.tzinfo is UTC


@pytest.mark.parametrize("language", ["en", "zh-Hant-TW", "prs", "x-private", "de-CH-1901"])
def test_a_language_is_taken_by_its_shape(language: str) -> None:
    assert article(plain(language=language)).language == language


def test_json_with_uri_is_ninjs_unless_it_has_the_id_and_text_of_plain_json() -> None:
    assert article(ninjs()).id == "urn:a"
    assert article(ninjs(id="b")).id == "urn:a"
    assert article(ninjs(id="b", text=None)).id == "urn:a"
    assert article(plain(uri=None, text=None, status="canceled")).id == "a"
    assert article(plain(uri="urn:a")).id == "a"
    assert article(plain(uri="urn:a", body_text="Other."), "application/ninjs+json").id == "urn:a"


@pytest.mark.parametrize("content_type", ["text/plain", " Text/PLAIN ; charset=utf-8"])
def test_wire_copy_may_look_like_json_when_its_content_type_says_text(content_type: str) -> None:
    copy = '{"id": "a"} is what the note said.'
    assert article(copy.encode(), content_type).text == copy


def test_wire_copy_sent_twice_has_one_id_and_of_another_day_another() -> None:
    copy = b"date 2024-05-01\nThe river rose.\n\nIt fell."
    same = copy.replace(b"\n", b"\r\n") + b"\r\n\r\n"
    other = copy.replace(b"05-01", b"05-02")
    assert article(copy) == article(same)
    assert article(copy).text == article(other).text
    assert article(copy).id != article(other).id


@pytest.mark.parametrize(
    ("copy", "places", "source"),
    [
        ("Portville [Northland], May 1 (ANI): Body.", ("Portville", "Northland"), "ANI"),
        ("date: 2024-05-01\n\nPORTVILLE, 1 May 2024 (AFP) -- Body.", ("PORTVILLE",), "AFP"),
        ("NEW PORTVILLE, N.L. (AP) — Body.", ("NEW PORTVILLE", "N.L."), "AP"),
        ("Portville-sur-Mer, Sept. 3 (Xinhua) -- Body. (Xinhua)", ("Portville-sur-Mer",), "Xinhua"),
        ("(Reuters) - Body.", (), "Reuters"),
        ("CNN — Body.", (), "CNN"),
        ("PORTVILLE – Body.", ("PORTVILLE",), None),
        ("PORT, May 3 — Body.", ("PORT",), None),
        ("STONEBRIDGE, Northland—Body.", ("STONEBRIDGE", "Northland"), None),
        ("Body. (PTI)", (), "PTI"),
        ("Body.\n\n(ANI)\n", (), "ANI"),
    ],
)
def test_a_dateline_gives_places_and_source_and_leaves_the_body(
    copy: str, places: tuple[str, ...], source: str | None
) -> None:
    parsed = article(copy.encode())
    assert (parsed.text, parsed.places, parsed.source) == ("Body.", places, source)


@pytest.mark.parametrize(
    "copy",
    [
        "The minister told an agency (Reuters) - then he left.",
        "NATO — the alliance — met on Monday.",
        "BREAKING — A dam broke.",
        "He gave up -- for now.",
        "PORTVILLE-STONEBRIDGE is a railway.",
        "In 2024 (May) - a month of rain - the dam broke.",
        "The bank is owned by the state (SOE)",
        "They met the union. (EU)",
        "dates 2024-05-01 and others",
        "date 2024-05-011 is no date",
    ],
)
def test_what_only_resembles_a_dateline_stays_in_the_text(copy: str) -> None:
    parsed = article(copy.encode())
    assert (parsed.text, parsed.places, parsed.source, parsed.published) == (copy, (), None, None)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain &amp; simple", "plain & simple"),
        ("<p>One</p>\n<p>Two\n  lines</p>", "One\n\nTwo lines"),
        ("one<br>two<BR/><br />three", "one\ntwo\n\nthree"),
        ("<ul><li>a<li>b</ul><table><tr><td>1</td><td>2</td></tr></table>", "a\n\nb\n\n1 2"),
        ("w<b>or</b>d <a title='>' href=x>link</a>", "word link"),
        ("a<!-- <p> -->b<!-- never closed <p>c", "ab"),
        ("<style>p {}</style>a<SCRIPT>'<p>'</p></Script >b<script>c", "ab"),
        ("<figure><img><figcaption>c</figcaption></figure>a<figure><figcaption>c</figure>b", "a\n\nb"),
        ("2 < 3 and 4 > 3, <b", "2 < 3 and 4 > 3,"),
        ("&lt;p&gt; &#8364;&#x20AC;&nbsp;&unknown;", "<p> €€ &unknown;"),
        ("&#xD800;&#" + "9" * 5_000 + ";", "\ufffd\ufffd"),
        ("<![CDATA[x]]><?php y ?><!DOCTYPE html>z", "z"),
    ],
)
def test_html_becomes_the_words_a_reader_sees(html: str, text: str) -> None:
    assert text_of_html(html) == text


def test_ninjs_prefers_the_main_body_then_plain_text_then_any_with_words() -> None:
    bodies: list[dict[str, str]] = [
        {"role": "teaser", "value": "Teaser."},
        {"role": "main", "value": " "},
        {"role": "main", "value": "<p>Main.</p>"},
    ]
    assert article(ninjs(body_text=None, bodies=bodies)).text == "Main."
    assert article(ninjs(body_text=None, bodies=bodies[:2])).text == "Teaser."
    assert article(ninjs(body_xhtml="<p>Markup.</p>", bodies=bodies)).text == "Some text."
    assert article(ninjs(body_text="<p>Tagged.</p>")).text == "Tagged."


def test_ninjs_falls_back_where_the_usual_field_is_absent() -> None:
    fields = {
        "title": "Title",
        "firstcreated": "2024-05-01T00:00:00Z",
        "located": "Portville",
        "urgency": 3.0,
    }
    assert article(ninjs(**fields, copyrightholder="Owner", version=7)) == Article(
        id="urn:a",
        text="Some text.",
        headline="Title",
        published=datetime(2024, 5, 1, tzinfo=UTC),
        source="Owner",
        version=7,
        urgency=3,
        places=("Portville",),
    )
