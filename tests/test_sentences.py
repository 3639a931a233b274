"""Sentences are those a reader would underline."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.sentences import LONGEST, is_notice, passage_spans, passages, same_said, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two? Three!", ["One.", "Two?", "Three!"]),
        (
            "Mr. Osei met Gen. Lund at 5 p.m. on Friday. They talked.",
            ["Mr. Osei met Gen. Lund at 5 p.m. on Friday.", "They talked."],
        ),
        ("The U.S. Embassy closed. It was 3.5 km off.", ["The U.S. Embassy closed.", "It was 3.5 km off."]),
        ('"Leave now." They left.', ['"Leave now."', "They left."]),
        ("A headline\n\nFirst line of the text", ["A headline", "First line of the text"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_says(text: str, expected: list[str]) -> None:
    assert [text[begin:end] for begin, end in sentences(text)] == expected


@given(st.text(alphabet="aB .!?\"')\n", max_size=300))
def test_sentences_stand_in_order_and_leave_out_white_space_alone(text: str) -> None:
    spans = sentences(text)

    assert all(begin < end for begin, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert "".join("".join(text[begin:end].split()) for begin, end in spans) == "".join(text.split())


def test_a_sentence_without_an_end_is_cut_at_a_space() -> None:
    spans = sentences("word " * 10_000)

    assert max(end - begin for begin, end in spans) <= LONGEST


@pytest.mark.parametrize(
    "text", ["This site uses cookies.", "Sign up for our newsletter", "(Photo by Getty Images)", "READ\u00a0 MORE"]
)
def test_a_page_talking_about_itself_is_a_notice(text: str) -> None:
    assert is_notice(text)


def test_news_is_no_notice() -> None:
    assert not is_notice("Residents were told to sign in at the school before the buses left.")


def test_passages_are_paragraphs_and_long_ones_are_cut_between_sentences() -> None:
    sentence = "The officials of the northern district said on Monday that all of the roads were open again. "
    text = f"A headline of five words\n\nShort byline\n{sentence}\n{sentence * 6}"

    found = passages(text)

    assert found[0] == "A headline of five words"
    assert found[1] == sentence
    assert [piece.count("officials") for piece in found[2:]] == [2, 2, 2]


@given(st.text(alphabet="aB .!?\"')\n", max_size=300))
def test_passages_hold_nothing_that_is_not_in_the_text_and_stand_in_order(text: str) -> None:
    begin = 0
    for piece in passages(text):
        begin = text.index(piece, begin) + len(piece)


@given(st.text(alphabet="aB .!?\"')\n", max_size=300) | st.text(alphabet="abc .\n\t\u00a0\x85", max_size=900))
def test_the_spans_of_passages_are_where_they_stand_within_a_line(text: str) -> None:
    spans = passage_spans(text)

    assert [text[begin:end] for begin, end in spans] == passages(text)
    assert all(begin < end <= len(text) for begin, end in spans)
    assert not any("\n" in text[begin:end] for begin, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("They left.", "they  LEFT", True),
        ("'They left.'", "They left!", True),
        ("(They left.)", "They left …", True),
        ("They left at 5.", "They left at 6.", False),
        ("They left.", "Have they left?", False),
        ("-5 outside.", "5 outside.", False),
    ],
)
def test_two_sentences_say_the_same_when_they_differ_in_white_space_case_or_closing_signs_alone(
    one: str, other: str, same: bool
) -> None:
    assert (same_said(one) == same_said(other)) is same
