"""A batch of messages becomes one outcome each, in order, and a bad one disturbs no other."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from stream.alert import Alert, CapStatus, alert_headers
from stream.article import Reason, Refused
from stream.pipeline import Alerted, Message, Outcome, Quiet, classify
from stream.schema import RECORDS, schema
from stream.urgency import SCALES, Urgency
from stream.verdict import verdict_bytes
from tests.fakes import NOW, TOPICS, tiny_model

GOLDEN = Path(__file__).parent / "data" / "golden"
RECEIVED = NOW - timedelta(seconds=2)


def outcome(cap_status: CapStatus = CapStatus.ACTUAL, **fields: Any) -> Outcome:
    """What becomes of one plain JSON article."""
    value = msgspec.json.encode({"id": "n-1", "text": "All quiet."} | fields)
    return classify([Message(value, RECEIVED, cap_status=cap_status)], tiny_model(), NOW)[0]


def alert_of(**fields: Any) -> Alert:
    found = outcome(**fields)
    assert isinstance(found, Alerted)
    return found.alert


FULL: dict[str, Any] = {
    "id": "wire-7",
    "version": 2,
    "headline": "Airlift goes on",
    "text": "The airlift from the port went on. The minister resigned.\n\nTwo men were hunted, officials said.",
    "published": "2026-03-03T11:58:00Z",
    "source": "Red Sea Wire",
    "language": "en",
    "url": "https://news.example/7",
    "urgency": 3,
    "places": ["Port Maren"],
}


@pytest.mark.parametrize("name", ["alert", "verdict", "cancel", "headers"])
def test_records_look_as_they_always_have(name: str) -> None:
    """Golden files: whoever reads the topics relies on them. Renew with a CHANGELOG entry, never by the way."""
    alerted = outcome(**FULL)
    assert isinstance(alerted, Alerted)
    cancel = alert_of(id="wire-7", version=3, status="canceled")
    headers = alert_headers(alerted.alert, "/newsalert", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    found = {
        "alert": verdict_bytes(alerted.alert),
        "verdict": verdict_bytes(alerted.verdict),
        "cancel": verdict_bytes(cancel),
        "headers": msgspec.json.encode([[key, value.decode()] for key, value in headers]),
    }[name]

    assert json.loads(found) == json.loads((GOLDEN / f"{name}.json").read_bytes())


def test_every_alert_and_verdict_fits_its_published_schema() -> None:
    for fields in (FULL, FULL | {"status": "canceled"}, {"text": "A coup."}, {"text": "Football."}):
        found = outcome(**fields)
        assert not isinstance(found, Refused)
        jsonschema.validate(json.loads(verdict_bytes(found.verdict)), schema("verdict"))
        if isinstance(found, Alerted):
            jsonschema.validate(json.loads(verdict_bytes(found.alert)), schema("alert"))


@pytest.mark.parametrize("record", RECORDS)
def test_the_schemas_in_the_repository_are_those_of_the_code(record: str) -> None:
    stored = Path(__file__).parents[1] / "stream" / "schemas" / f"{record}.json"

    assert json.loads(stored.read_bytes()) == schema(record), (
        f"renew with: newsalert schema {record} > stream/schemas/{record}.json"
    )


def test_outcomes_come_in_the_order_of_the_messages_and_bad_ones_disturb_none() -> None:
    values = [
        b'{"id": "1", "text": "A coup."}',
        b"\xff",
        b'{"id": "2", "text": "Football."}',
        b"{",
        b'{"id": "3", "text": "Airlift."}',
    ]

    found = classify([Message(value, RECEIVED) for value in values], tiny_model(), NOW)

    assert [type(one) for one in found] == [Alerted, Refused, Quiet, Refused, Alerted]
    assert [one.verdict.article.id for one in found if not isinstance(one, Refused)] == ["1", "2", "3"]
    assert [one.reason for one in found if isinstance(one, Refused)] == [Reason.NOT_UTF8, Reason.NOT_JSON]


def test_a_topic_with_low_urgency_is_labelled_and_wakes_nobody() -> None:
    model = tiny_model()
    found = classify([Message(b'{"id": "1", "text": "hunted football football"}', RECEIVED)], model, NOW)[0]

    assert isinstance(found, Quiet)
    assert found.verdict.urgency.level is Urgency.LOW or not found.verdict.topics


def test_the_evidence_of_a_topic_is_the_sentence_that_carries_it_at_its_place() -> None:
    alert = alert_of(**FULL)

    first = {found.topic: found.sentences[0] for found in alert.evidence}
    assert first["reprisals"].text == "Two men were hunted, officials said."
    assert FULL["text"][first["reprisals"].start : first["reprisals"].end] == first["reprisals"].text
    assert first["evacuation"].field == "headline"


def test_a_sentence_that_stands_twice_is_given_once_and_a_cookie_notice_never() -> None:
    alert = alert_of(text="The airlift goes on. The airlift goes on.\nRead more on the airlift, accept cookies.")

    assert [sentence.text for sentence in alert.evidence[0].sentences] == ["The airlift goes on."]


@pytest.mark.parametrize(
    "copy",
    [
        "The  airlift\u00a0goes on.",
        "THE AIRLIFT GOES ON.",
        "The airlift goes on",
        "The airlift goes on!",
        "The airlift goes on …",
        "“The airlift goes on.”",
    ],
)
def test_a_sentence_that_differs_in_white_space_case_or_closing_signs_alone_is_no_second_one(copy: str) -> None:
    for text in (f"The airlift goes on.\n{copy}", f"{copy}\nThe airlift goes on."):
        found = alert_of(text=text).evidence[0].sentences

        assert [sentence.text for sentence in found] == [text.split("\n")[0]]


def test_sentences_that_differ_in_a_word_or_a_figure_are_two() -> None:
    text = "The airlift took out 500.\nThe airlift took out 900.\nIs the airlift over?"

    assert len(alert_of(text=text).evidence[0].sentences) == 3


@pytest.mark.parametrize(
    "notice",
    ["Airlift airlift: sign\u00a0up now", "SUBSCRIBE to airlift, airlift", "Airlift, airlift: accept  all  cookies"],
)
def test_a_page_notice_is_no_evidence_however_it_is_set_and_even_where_it_weighs_most(notice: str) -> None:
    found = alert_of(text=f"{notice}\nThe airlift goes on.").evidence[0].sentences

    assert [sentence.text for sentence in found] == ["The airlift goes on."]


def test_a_kill_without_text_is_passed_on_whatever_the_model_says_of_no_words() -> None:
    value = msgspec.json.encode({"id": "n-1", "text": "", "status": "canceled"})

    found = classify([Message(value, RECEIVED)], tiny_model(threshold=0.01), NOW)[0]

    assert isinstance(found, Alerted)
    assert [(one.topic, one.sentences) for one in found.alert.evidence] == [(topic.name, ()) for topic in TOPICS]


def test_the_same_version_under_the_same_policy_has_the_same_alert_id_and_any_other_another() -> None:
    one = alert_of(**FULL)

    assert alert_of(**FULL | {"text": "An airlift, reworded."}).id == one.id
    assert alert_of(**FULL | {"version": 3}).id != one.id
    assert alert_of(**FULL | {"id": "other"}).id != one.id
    assert alert_of(**FULL | {"status": "canceled"}).id != one.id


def test_versions_are_one_story_that_opens_moves_on_and_is_taken_back() -> None:
    stories = [
        alert_of(**FULL | more).story for more in ({"version": 1}, {"version": 2}, {"status": "canceled", "version": 3})
    ]

    assert len({story.id for story in stories}) == 1
    assert [story.status for story in stories] == ["new", "update", "cancel"]


def test_an_embargoed_article_is_labelled_and_never_alerted() -> None:
    found = outcome(**FULL | {"status": "withheld"})

    assert isinstance(found, Quiet)
    assert found.verdict.topics
    assert not found.verdict.alert


def test_an_exercise_stays_an_exercise_to_the_end() -> None:
    found = outcome(CapStatus.EXERCISE, **FULL)

    assert isinstance(found, Alerted)
    assert found.alert.cap.status == "Exercise"


def test_no_alert_ever_orders_its_reader_to_leave_or_claims_to_have_seen() -> None:
    caps = [
        alert_of(text=text).cap
        for text in ("An airlift.", "A coup.", "Hunted.", "The minister.", "Detained and evacuated.")
    ]

    assert {cap.responseType for cap in caps} <= {"Monitor", "Assess"}
    assert {cap.certainty for cap in caps} <= {"Likely", "Possible"}


def test_the_sender_s_own_urgency_is_never_copied_out() -> None:
    assert alert_of(**FULL | {"urgency": 9}).urgency.ninjs == SCALES[alert_of(**FULL).urgency.level].ninjs


def test_text_in_another_language_is_labelled_and_marked() -> None:
    german = "Die Regierung hat am Dienstag beschlossen, dass alle Bewohner der Insel ihre Häuser verlassen müssen."
    english = "The government decided on Tuesday that all of the people of the island have to leave their homes."

    marks = [
        _verdict(text=german).english,
        _verdict(text=german, language="en").english,
        _verdict(text=english).english,
    ]

    assert marks == [False, True, True]


def test_a_topic_of_one_s_own_needs_no_code() -> None:
    floods = msgspec.structs.replace(TOPICS[2], name="floods", iptc=("medtop:20000151",), cap_category="Met")
    model = tiny_model((*TOPICS[:2], floods))

    found = classify([Message(b'{"id": "1", "text": "A coup."}', RECEIVED)], model, NOW)[0]

    assert isinstance(found, Alerted)
    assert [topic.topic for topic in found.alert.topics] == ["floods"]
    assert found.alert.cap.category == ("Met",)


def test_times_are_told_in_utc() -> None:
    found = outcome(text="All quiet.", published="2026-03-03T13:00:00+05:30")

    assert isinstance(found, Quiet)
    assert found.verdict.times.published == datetime(2026, 3, 3, 7, 30, tzinfo=UTC)


def _verdict(**fields: Any) -> Any:
    found = outcome(**fields)
    assert not isinstance(found, Refused)
    return found.verdict
