"""Measures tell how good a model is, where it is worse, and how sure that is; they say nothing where there is nothing to say."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss

from stream.urgency import Urgency
from tests.fakes import TOPICS, tiny_model
from training.dataset import Item
from training.evaluate import average_precision, bins_of, brier, calibration_error, judge, measures
from training.misses import misses
from training.quality import quality, reliabilities
from training.regions import region_of
from training.slices import FEWEST, NO_DATE, NOT_NAMED, OTHERS, figures, parted, slices, year_of
from training.thresholds import quadratic_kappa

AIRLIFT = Item("a", "The airlift went on.", ("evacuation",), Urgency.HIGH, "2024-05-01", "Wire")
FOOTBALL = Item("f", "The football season goes on.", (), Urgency.LOW, "2025-05-01", "Desk")
MISSED = Item("m", "People left by boat.", ("evacuation",), Urgency.HIGH, "2025-06-01", "Desk")
FALSE = Item("x", "An airlift of football shirts.", (), Urgency.LOW, "2024-06-01", "Wire")


def copies(item: Item, count: int) -> list[Item]:
    """`count` items like `item`, each with an id of its own."""
    return [replace(item, id=f"{item.id}{n}") for n in range(count)]


# --- slices ----------------------------------------------------------------------------------------------------------


def test_a_slice_under_twenty_items_gives_counts_alone() -> None:
    items = copies(AIRLIFT, FEWEST - 1) + copies(replace(AIRLIFT, id="b", source="Desk"), FEWEST)

    desk, wire = (part for part in slices(judge(tiny_model(), items), 20) if part.by == "source")

    assert (wire.items, wire.positives) == (
        19,
        {"evacuation": 19, "reprisals": 0, "governance": 0, "alert": 19},
    )
    assert (wire.macro_f1, wire.mean_average_precision, wire.alert_f1) == (None, None, None)
    assert None not in (desk.macro_f1, desk.mean_average_precision, desk.alert_f1)


def test_a_part_that_is_worse_is_seen_and_its_interval_holds_its_figure() -> None:
    items = copies(AIRLIFT, 40) + copies(MISSED, 10) + copies(replace(AIRLIFT, id="d", source="Desk"), 20)

    wire, desk = sorted(
        (part for part in slices(judge(tiny_model(), items), 200) if part.by == "source"), key=lambda part: -part.items
    )

    assert wire.macro_f1 is not None
    assert desk.macro_f1 is not None
    assert wire.macro_f1.value == wire.macro_f1.low == wire.macro_f1.high == 1.0
    assert desk.macro_f1.value == pytest.approx(0.8)
    assert 0.6 < desk.macro_f1.low < desk.macro_f1.value < desk.macro_f1.high < 0.95


def test_what_a_part_has_not_got_is_not_measured_on_it() -> None:
    """A desk with no coup in its items is not blamed for an F1 of 0 on governance, nor a quiet one for its alerts."""
    model = tiny_model()
    busy, quiet = judge(model, copies(AIRLIFT, 20)), judge(model, copies(FOOTBALL, 20))

    assert figures(model.card, busy.topics, busy.urgency, busy.truth).tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(figures(model.card, quiet.topics, quiet.urgency, quiet.truth)).all()
    assert {part.alert_f1 for part in slices(quiet, 5)} == {None}


def test_every_item_stands_in_one_part_of_each_way_to_slice() -> None:
    dates = ("2019-01-01", "2024-12-31", "2025-01-01", "2026-02-03T04:05:06Z", None)
    items = [
        replace(AIRLIFT, id=str(n), published=dates[n % 5], source=f"s{n % 17}" if n % 3 else None) for n in range(200)
    ]

    for by, parts in parted(items).items():
        rows = np.concatenate(list(parts.values()))
        dated = [n for n, item in enumerate(items) if by != "time" or item.published]
        assert sorted(rows.tolist()) == dated, by


def test_the_ten_largest_sources_are_named_the_rest_stand_together_and_the_unnamed_apart() -> None:
    sizes = {f"s{n:02}": 20 - n for n in range(13)}
    items = [item for name, size in sizes.items() for item in copies(replace(AIRLIFT, id=name, source=name), size)]
    items += copies(replace(AIRLIFT, id="none", source=None), 50)

    found = {name: len(rows) for name, rows in parted(items)["source"].items()}

    assert list(found) == [f"s{n:02}" for n in range(10)] + [OTHERS, NOT_NAMED]
    assert (found[OTHERS], found[NOT_NAMED]) == (10 + 9 + 8, 50)


@pytest.mark.parametrize(
    ("published", "year"),
    [
        ("2024-10-15", "2024"),
        ("2026-03-03T12:00:00Z", "2026"),
        ("2021", "2021"),
        (None, NO_DATE),
        ("", NO_DATE),
        ("20241015", NO_DATE),
        ("yesterday", NO_DATE),
        ("２０２４-10-15", NO_DATE),
    ],
)
def test_a_year_is_read_where_one_is_told(published: str | None, year: str) -> None:
    assert year_of(replace(AIRLIFT, published=published)) == year


def test_what_came_since_2025_stands_against_what_came_before() -> None:
    items = [replace(AIRLIFT, published=date) for date in ("2024-12-31", "2025-01-01", "2030-01-01", None)]

    assert {name: rows.tolist() for name, rows in parted(items)["time"].items()} == {
        "before 2025": [0],
        "2025 and later": [1, 2],
    }


def test_a_brief_has_under_a_hundred_words_and_a_long_article_over_four_hundred() -> None:
    items = [replace(AIRLIFT, text="word " * words) for words in (1, 99, 100, 400, 401)]

    assert {name: rows.tolist() for name, rows in parted(items)["length"].items()} == {
        "under 100 words": [0, 1],
        "100 to 400 words": [2, 3],
        "over 400 words": [4],
    }


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("South Korean troops crossed the river.", "Asia-Pacific"),
        ("Flights left Port Sudan for Egypt and Sudan.", "Africa"),
        ("The U.S.-led mission ends.", "Americas"),
        ("Police in Ohio said so.", "Americas"),
        ("Wildfires in British Columbia spread.", "Americas"),
        ("British and Ukrainian ministers met.", "Europe"),
        ("Saudi Arabia's king spoke to the Houthis.", "Middle East"),
        ("Nigeria, not Niger.", "Africa"),
        ("Hundreds of Afghans waited at the gate.", "Asia-Pacific"),
        ("They told us to roast a turkey on china plates.", "none told"),
        ("The council met on Monday.", "none told"),
        ("", "none told"),
    ],
)
def test_the_region_is_the_one_that_the_opening_names_most(text: str, region: str) -> None:
    assert region_of(text) == region


def test_of_two_regions_named_equally_often_the_first_counts_and_only_the_opening_is_read() -> None:
    assert region_of("Kenya asked France for help.") == "Africa"
    assert region_of("France asked Kenya for help.") == "Europe"
    assert region_of("word " * 60 + "Kenya") == "none told"


# --- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_and_brier_score_are_scikit_learn_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, truth = np.round(rng.random(60), 1), rng.random(60) < 0.3  # rounded: many ties

    assert average_precision(p, truth) == pytest.approx(average_precision_score(truth, p))
    assert brier(p, truth) == pytest.approx(brier_score_loss(truth, p))


def test_average_precision_of_nothing_is_none_at_all() -> None:
    assert average_precision(np.array([0.3, 0.9]), np.array([False, False])) == 0.0


def test_bins_hold_every_item_once_and_empty_ones_are_left_out() -> None:
    p = np.array([0.0, 0.05, 0.1, 0.95, 1.0])

    found = bins_of(p, np.array([0.0, 1.0, 0.0, 1.0, 1.0]))

    assert [(one.low, one.high, one.items, one.true) for one in found] == [
        (0.0, 0.1, 2, 0.5),
        (0.1, 0.2, 1, 0.0),
        (0.9, 1.0, 2, 1.0),
    ]
    assert [one.said for one in found] == pytest.approx([0.025, 0.1, 0.975])


def test_reliability_is_told_of_all_topics_each_topic_and_each_step_of_urgency() -> None:
    judged = judge(tiny_model(), copies(AIRLIFT, 5) + copies(FALSE, 5))

    found = reliabilities(judged)

    assert list(found) == [
        "all topics",
        *(topic.name for topic in TOPICS),
        "at least medium",
        "at least high",
        "at least critical",
    ]
    assert found["all topics"].calibration_error == calibration_error(
        judged.topics.ravel(), judged.truth[:, :3].ravel()
    )
    assert found["at least high"].brier == brier(judged.urgency[:, 1], judged.truth[:, 4])
    assert sum(one.items for one in found["all topics"].bins) == 30
    assert [sum(one.items for one in rest.bins) for rest in list(found.values())[1:]] == [10] * 6


def test_urgency_is_told_of_items_with_a_topic_and_of_all() -> None:
    judged = judge(tiny_model(), copies(AIRLIFT, 3) + copies(MISSED, 2) + copies(FOOTBALL, 4))

    found = measures(judged.card, judged.topics, judged.urgency, judged.truth)["urgency"]

    assert found["confusion"] == [[4, 0, 0, 0], [0, 0, 0, 0], [2, 0, 3, 0], [0, 0, 0, 0]]
    assert found["confusion_with_topic"] == [[0, 0, 0, 0], [0, 0, 0, 0], [2, 0, 3, 0], [0, 0, 0, 0]]
    assert found["kappa_of_all"] == pytest.approx(
        quadratic_kappa(np.array([2] * 5 + [0] * 4), np.array([2] * 3 + [0] * 6))
    )


def test_the_headline_figures_have_an_interval_each_and_f1_of_each_topic_too() -> None:
    found = quality(judge(tiny_model(), copies(AIRLIFT, 15) + copies(MISSED, 5)), 50)

    assert {"alert precision", "alert recall", "Brier score of topics", "F1 of evacuation"} <= set(found["intervals"])
    low, high = found["intervals"]["alert recall"]
    assert low < found["alert"]["recall"] == 0.75 < high


# --- misses ----------------------------------------------------------------------------------------------------------


def test_the_worst_misses_come_first_by_id_and_no_more_than_wanted() -> None:
    sure = replace(MISSED, id="sure", text="Football, football and football.")
    judged = judge(tiny_model(), [*copies(AIRLIFT, 3), MISSED, sure, FALSE])

    found = misses(judged, most=1)

    assert [one.id for one in found["missed evacuation"]] == ["sure"]
    assert [one.id for one in misses(judged)["missed evacuation"]] == ["sure", "m"]
    assert [(one.id, one.topics, one.said_topics) for one in found["false evacuation"]] == [("x", (), ("evacuation",))]
    assert found["false governance"] == ()


def test_an_urgency_is_the_worse_missed_the_more_steps_it_is_off() -> None:
    items = [
        Item("one step, and sure", "Men were hunted in a coup.", ("governance",), Urgency.HIGH),
        Item("three steps", "People left by boat.", (), Urgency.CRITICAL),
        Item("none", "The airlift went on.", ("evacuation",), Urgency.HIGH),
    ]

    found = misses(judge(tiny_model(), items))["wrong urgency"]

    assert [(one.id, one.urgency, one.said_urgency) for one in found] == [
        ("three steps", Urgency.CRITICAL, Urgency.LOW),
        ("one step, and sure", Urgency.HIGH, Urgency.CRITICAL),
    ]


def test_a_missed_alert_is_judged_by_the_weaker_of_topic_and_urgency() -> None:
    judged = judge(tiny_model(), [replace(FALSE, topics=("evacuation",), urgency=Urgency.HIGH)])

    (found,) = misses(judged)["missed alert"]

    assert found.said_topics == ("evacuation",)
    assert found.probability == judged.urgency[0, 0] < 0.5 < judged.topics[0, 0]
