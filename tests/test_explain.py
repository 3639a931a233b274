"""Every label can be taken apart to the last word, and what is told adds up to what the model said."""

import dataclasses
import io
import json
import math
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from rich.console import Console

from stream.article import Article, Status, parse_article
from stream.explain import MOST_WORDS, Explanation, explanations, words_of
from stream.features import Block, Kind, full_text
from stream.files import documents
from stream.home import SHIPPED
from stream.model import STEPS, Model, OperatingPoint, load_model, log_odds_of
from stream.pipeline import Alerted, Message, classify
from stream.show import shown
from tests.fakes import NOW, tiny_model
from tests.test_features import ANY, BLOCKS, ODD, learnt
from tests.test_model import ROUND_UP, write_tiny

ROOT = Path(__file__).parents[1]
SAMPLES = sorted(str(file) for file in (ROOT / "stream" / "samples").iterdir() if file.suffix in {".jsonl", ".txt"})
HUNTED = "Men were hunted in the port on Monday, officials said."


def model_over(texts: list[str], blocks: tuple[Block, ...]) -> Model:
    """A model that knows every term of `texts` and has some weight, slope and offset for each."""
    vocabularies = tuple(learnt(texts, block)[0] for block in blocks)
    size, some = sum(len(one.hashes) for one in vocabularies), np.random.default_rng(3)
    return dataclasses.replace(
        tiny_model(),
        vocabularies=vocabularies,
        weights=some.normal(size=(size, 6)).astype(np.float32),
        slopes=some.uniform(0.5, 2.0, 6),
        offsets=some.normal(size=6),
    )


def lifting(model: Model) -> Model:
    """The model, its topics lifted by passages."""
    return dataclasses.replace(model, card=msgspec.structs.replace(model.card, passage_discount=1.0))


def told(found: Explanation) -> float:
    """What the parts of an explanation add up to."""
    return found.intercept + sum(word.weight for word in (*found.for_, *found.against)) + found.rest


def pairs(words: tuple[Any, ...]) -> list[tuple[str, int]]:
    return [(word.word, word.count) for word in words]


@given(text=ODD | ANY)
@settings(deadline=None)
def test_the_words_of_any_text_with_the_intercept_sum_to_its_log_odds(text: str) -> None:
    model = model_over([text, "the airlift from the airport goes on, the airlift goes on"], BLOCKS)

    words = words_of(model, text)

    intercept = log_odds_of(model, [""])[0]
    assert words.weights.sum(axis=0) + intercept == pytest.approx(log_odds_of(model, [text])[0], rel=1e-9, abs=1e-9)


def sample_articles() -> Iterator[Article]:
    for document in documents(SAMPLES):
        article = parse_article(document.value, document.content_type)
        if isinstance(article, Article):
            yield article


def test_the_shipped_model_s_words_rest_and_intercept_sum_to_its_score_of_the_whole_text() -> None:
    model, count = load_model(SHIPPED), 0
    for article in sample_articles():
        found = explanations(model, article)
        scored = log_odds_of(model, [full_text(article.headline, article.text)])[0]
        assert list(found) == [*model.topics, *STEPS]
        for output, one in enumerate(found.values()):
            assert one.log_odds == scored[output]
            assert told(one) == pytest.approx(scored[output], rel=1e-9, abs=0.0), (article.id, output)
            count += 1
    assert count > 100


def test_what_is_explained_is_what_the_verdict_says() -> None:
    model = load_model(SHIPPED)
    for document in documents(SAMPLES):
        article = parse_article(document.value, document.content_type)
        [outcome] = classify([Message(document.value, NOW, document.content_type)], model, NOW)
        if isinstance(article, Article):
            verdict, found = outcome.verdict, explanations(model, article)  # type: ignore[union-attr]
            assert {name for name in model.topics if found[name].reached} == {one.topic for one in verdict.topics}
            assert sum(found[step].reached for step in STEPS) == verdict.urgency.level.rank
            assert {name: found[name].probability for name in model.topics} == pytest.approx(
                verdict.probabilities, abs=1e-6
            )


@pytest.mark.parametrize(
    ("block", "text", "shared"),
    [
        (Block(Kind.WORD, 2, 2), "curfew lifted", {"curfew": 1 / 2, "lifted": 1 / 2}),
        (Block(Kind.WORD, 3, 3), "state of siege", {"state": 1 / 3, "of": 1 / 3, "siege": 1 / 3}),
        (Block(Kind.SUBWORD, 6, 6), "fled", {"fled": 1.0}),
    ],
    ids=["pair", "three", "subwords"],
)
def test_a_term_counts_evenly_for_the_words_it_is_made_of_and_for_no_other(
    block: Block, text: str, shared: dict[str, float]
) -> None:
    model, whole = model_over([text], (block,)), f"today, {text} there"

    words = words_of(model, whole)

    all_of_it = (log_odds_of(model, [whole]) - log_odds_of(model, [""]))[0]
    assert all_of_it[0] != 0.0
    for spelling, weights in zip(words.spelling, words.weights, strict=True):
        assert weights == pytest.approx(all_of_it * shared.get(spelling, 0.0)), spelling


def test_a_word_that_stands_often_is_told_once_with_its_count_whatever_its_case() -> None:
    article = Article("1", "Hunted by day. The HUNTED fled, hunted by night.", "Men hunted")

    found = explanations(tiny_model(), article)["reprisals"]

    assert pairs(found.for_) == [("hunted", 4)]
    assert found.for_[0].weight == pytest.approx(found.log_odds - found.intercept)
    assert found.rest == 0.0


def test_words_for_and_against_are_the_heaviest_of_their_side_heaviest_first() -> None:
    text = " ".join(f"word{number}" for number in range(60))
    model = model_over([text], (Block(Kind.WORD, 1, 1),))

    found, words = explanations(model, Article("1", text))["evacuation"], words_of(model, text)

    column = np.sort(words.weights[:, 0])
    assert [word.weight for word in found.for_] == list(column[::-1][:MOST_WORDS])
    assert [word.weight for word in found.against] == list(column[:MOST_WORDS])
    assert found.rest == pytest.approx(column[MOST_WORDS:-MOST_WORDS].sum())


def test_of_words_that_weigh_the_same_the_one_that_stands_first_is_told_first() -> None:
    for names in (["ada", "bob", "cyd", "dan"], ["dan", "cyd", "bob", "ada"]):
        model = model_over([" ".join(names)], (Block(Kind.WORD, 1, 1),))
        level = dataclasses.replace(model, weights=np.ones_like(model.weights))

        found = explanations(level, Article("1", " ".join(names)))["evacuation"]

        assert pairs(found.for_) == [(name, 1) for name in names]


def test_a_word_that_says_nothing_is_on_neither_side() -> None:
    found = explanations(tiny_model(), Article("1", "Football in the port, the minister said."))

    assert pairs(found["governance"].for_) == [("minister", 1)]
    assert pairs(found["governance"].against) == [("football", 1)]
    assert found["evacuation"].for_ == ()


def test_topics_and_steps_below_their_threshold_are_explained_too() -> None:
    found = explanations(tiny_model(), Article("1", HUNTED))

    assert [name for name, one in found.items() if one.reached] == ["reprisals", "medium", "high", "critical"]
    assert list(found) == ["evacuation", "reprisals", "governance", "medium", "high", "critical"]


def test_a_step_of_urgency_is_reached_only_with_all_steps_below_it_and_no_surer_than_they_are() -> None:
    model = tiny_model()
    thresholds = model.card.thresholds | {"medium": OperatingPoint(1.0, "by hand"), "high": OperatingPoint(0.0, "same")}
    strict = dataclasses.replace(model, card=msgspec.structs.replace(model.card, thresholds=thresholds))

    found = explanations(strict, Article("1", "A coup, an airlift, a coup, football."))

    assert not found["medium"].reached
    assert not found["high"].reached
    assert found["medium"].probability >= found["high"].probability >= found["critical"].probability


def test_thresholds_are_told_in_log_odds_and_those_that_are_always_or_never_met_stay_finite() -> None:
    model, points = tiny_model(), {"evacuation": 0.0, "reprisals": 1.0, "governance": 0.8}
    thresholds = model.card.thresholds | {name: OperatingPoint(point, "by hand") for name, point in points.items()}
    changed = dataclasses.replace(model, card=msgspec.structs.replace(model.card, thresholds=thresholds))

    found = explanations(changed, Article("1", "All quiet."))

    assert [found[name].threshold_log_odds for name in points] == pytest.approx([-60.0, 60.0, math.log(4)])


def test_a_topic_that_a_passage_raised_says_so_with_the_passage_at_its_place() -> None:
    model, article = lifting(tiny_model()), Article("1", ROUND_UP, "A round-up of the day in the north")

    found = explanations(model, article)["governance"]

    assert found.passage is not None
    assert found.passage.text == ROUND_UP.split("\n")[1]
    assert found.passage.text == article.text[found.passage.start : found.passage.end]
    assert found.log_odds < found.threshold_log_odds < found.passage.log_odds
    assert found.probability == pytest.approx(1 / (1 + math.exp(-found.passage.log_odds)))
    assert told(found) == pytest.approx(found.log_odds, rel=1e-9), "words are those of the whole text"


def test_a_headline_that_raised_a_topic_is_placed_in_the_headline() -> None:
    article = Article("1", ROUND_UP.replace("coup", "day"), "Officials tell of a coup")

    passage = explanations(lifting(tiny_model()), article)["governance"].passage

    assert passage is not None
    assert (passage.field, passage.start, passage.end) == ("headline", 0, len("Officials tell of a coup"))


def test_a_topic_that_no_passage_raised_tells_of_none() -> None:
    round_up = Article("1", ROUND_UP)

    assert explanations(lifting(tiny_model()), round_up)["evacuation"].passage is None
    assert [one.passage for one in explanations(tiny_model(), round_up).values()] == [None] * 6


def test_page_notices_and_copies_are_no_reasons() -> None:
    text = f'{HUNTED}\n"{HUNTED.upper()}"\nHunted: read  more, and accept cookies.\nNever hunted again, they said.'

    found = explanations(tiny_model(), Article("1", text))

    assert {name: [one.text for one in found[name].sentences] for name in ("evacuation", "reprisals")} == {
        "evacuation": [],
        "reprisals": [HUNTED, "Never hunted again, they said."],
    }


def test_a_cancelled_article_without_text_is_its_intercept() -> None:
    for found in explanations(tiny_model(), Article("1", "", status=Status.CANCELED)).values():
        assert (found.log_odds, found.rest, found.for_, found.against, found.sentences) == (-3.0, 0.0, (), (), ())


# --- the command ----------------------------------------------------------------------------------------------------

FEED = (
    b'{"id": "1", "headline": "Men hunted [/port] [red]", "text": "Hunted, hunted in the port."}\n'
    b'{"id": "2"}\n'
    b'{"id": "3", "headline": "Cup [/final]", "text": "Football by the minister."}\n'
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "stream", "classify", *arguments, "-"]


def environ(**more: str) -> dict[str, str]:
    ours = re.compile(r"NEWSALERT_.*|NO_COLOR|FORCE_COLOR")
    return {name: value for name, value in os.environ.items() if not ours.fullmatch(name)} | more


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return str(write_tiny(tmp_path / "tiny"))


def lines(*arguments: str) -> list[dict[str, Any]]:
    """The records that `newsalert classify` writes for FEED."""
    done = subprocess.run(
        command(*arguments), input=FEED, cwd=ROOT, env=environ(), capture_output=True, check=True, timeout=60
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_in_a_pipe_a_record_has_its_explanation_as_one_more_field_in_input_order_and_refused_ones_are_told(
    tiny: str,
) -> None:
    plain, explained = lines("--model", tiny), lines("--model", tiny, "--explain")

    assert [line.get("article", {}).get("id") for line in explained] == ["1", None, "3"]
    assert explained[1] == plain[1]
    assert explained[1]["refused"]["reason"] == "missing_field"
    for with_it, without in zip(explained, plain, strict=True):
        assert set(with_it) - set(without) == (set() if "refused" in without else {"explanation"})
        assert {key: with_it[key] for key in without if key not in {"times", "story"}} == {
            key: without[key] for key in without if key not in {"times", "story"}
        }


def test_an_explanation_in_json_has_the_fields_that_the_readme_promises(tiny: str) -> None:
    found = lines("--model", tiny, "--explain")[2]["explanation"]["governance"]

    weight = [word["weight"] for word in (*found["for"], *found["against"])]
    assert found == {
        "probability": pytest.approx(0.17, abs=1e-3),
        "threshold": 0.5,
        "reached": False,
        "log_odds": pytest.approx(found["intercept"] + sum(weight) + found["rest"], rel=1e-9),
        "threshold_log_odds": 0.0,
        "intercept": -3.0,
        "for": [{"word": "minister", "count": 1, "weight": pytest.approx(6 / math.sqrt(2))}],
        "against": [{"word": "football", "count": 1, "weight": pytest.approx(-4 / math.sqrt(2))}],
        "rest": 0.0,
        "sentences": [
            {"field": "text", "text": "Football by the minister.", "start": 0, "end": 25, "weight": 1.4142},
        ],
        "passage": None,
    }


def on_a_terminal(arguments: list[str]) -> str:
    """What the command writes for FEED where its standard output is a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        arguments, cwd=ROOT, env=environ(TERM="xterm-256color"), stdin=subprocess.PIPE, stdout=slave
    ) as process:
        os.close(slave)
        assert process.stdin
        process.stdin.write(FEED)
        process.stdin.close()
        written = bytearray()
        with suppress(OSError):  # Linux says so when the other side has closed
            while piece := os.read(master, 65536):
                written += piece
        assert process.wait(60) == 0
    os.close(master)
    return written.decode()


def test_on_a_terminal_words_for_are_green_and_words_against_red_below_each_label_s_threshold(tiny: str) -> None:
    said = on_a_terminal(command("--model", tiny, "--explain"))

    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert "  reprisals 100 % (needs 50 %)\r\n    for      hunted ×3 +9.00\r\n    │ " in plain
    assert "  at least critical " in plain
    assert "\x1b[32mminister +4.24" in said
    assert "\x1b[31mfootball -2.83" in said
    assert plain.index("Men hunted [/port] [red]") < plain.index("refused -:2: ") < plain.index("Cup [/final]")


def shown_text(model: Model, *, explained: bool = True, **fields: Any) -> str:
    """An alert as a terminal without colours shows it."""
    value = msgspec.json.encode({"id": "n-1"} | fields)
    [outcome] = classify([Message(value, NOW)], model, NOW)
    article, console = parse_article(value), Console(file=io.StringIO(), width=400)
    assert isinstance(outcome, Alerted)
    assert isinstance(article, Article)
    console.print(shown(outcome.alert, explanations(model, article) if explained else None))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_reader_is_told_of_the_passage_that_raised_a_topic() -> None:
    said = shown_text(lifting(tiny_model()), text=ROUND_UP)

    assert "raised by a passage (text 79 to 149): A coup was under way" in said


def test_a_near_miss_is_told_with_the_decimals_that_it_takes() -> None:
    model = tiny_model()
    found = explanations(model, Article("1", HUNTED))["evacuation"].probability
    points = model.card.thresholds | {"evacuation": OperatingPoint(found + 0.001, "by hand")}
    near = dataclasses.replace(model, card=msgspec.structs.replace(model.card, thresholds=points))

    assert "evacuation 4.7 % (needs 4.8 %)" in shown_text(near, text=HUNTED)
    assert "evacuation 5 % (needs 50 %)" in shown_text(model, text=HUNTED)


def test_a_step_that_waits_for_the_level_below_says_so() -> None:
    model = tiny_model()
    points = model.card.thresholds | {"high": OperatingPoint(1.0, "by hand")}
    strict = dataclasses.replace(model, card=msgspec.structs.replace(model.card, thresholds=points))

    assert "at least critical 100 % (needs 50 % and the level below)" in shown_text(strict, text=HUNTED)


def test_a_reader_is_shown_a_sentence_once_though_it_is_the_headline_or_carries_two_topics() -> None:
    text = f"MEN WERE HUNTED, OFFICIALS SAID.\nA coup, and men were hunted on Monday.\n{HUNTED}"

    said = shown_text(tiny_model(), explained=False, headline="Men were hunted, officials said", text=text)

    assert said.lower().count("men were hunted, officials said") == 1
    assert said.count("A coup, and") == said.count(HUNTED) == 1
