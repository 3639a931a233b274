"""The curve of what labels, corpus and teacher are worth: its arithmetic, without the texts that it is measured on."""

import numpy as np

from stream.urgency import Urgency
from tests.fakes import tiny_model
from training.curve import Worth, markdown, stages, worth
from training.dataset import Item, Soft


def an_item(number: int) -> Item:
    return Item(f"i{number}", f"text {number}", (), Urgency.LOW)


def test_scores_that_rank_all_right_are_worth_a_full_mark() -> None:
    card = tiny_model().card
    truth = np.array([[1, 0, 0, 1, 1, 1], [0, 1, 0, 1, 1, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]], dtype=np.float64)
    truth = truth[:, [*range(len(card.topics)), 3, 4, 5]]

    found = worth(card, 8.0 * truth - 4.0, truth, "oracle", 3, 1, 0)

    assert (found.mean_average_precision, found.macro_f1, found.kappa) == (1.0, 1.0, 1.0)
    assert (found.alert_precision, found.alert_recall, found.measured_on) == (1.0, 1.0, 4)


def test_each_stage_holds_all_that_the_one_before_held() -> None:
    real, written = [an_item(k) for k in range(8)], [an_item(9)]
    soft = [Soft("s", "text", (0.0,) * 6)]

    found = [(len(mine), len(also), len(taught)) for _, mine, also, taught in stages(real, written, soft)]
    quarter, half, whole = ({item.id for item in mine} for _, mine, _, _ in list(stages(real, written, soft))[1:4])

    assert found == [(1, 0, 0), (2, 0, 0), (4, 0, 0), (8, 0, 0), (8, 1, 0), (8, 1, 1)]
    assert quarter < half < whole


def test_the_table_has_a_row_for_each_model_and_a_column_for_each_topic() -> None:
    row = Worth("all", 1200, 3, 0, 10, {"evacuation": 0.5, "reprisals": 0.7}, 0.61, 0.7, 0.8, 0.66)

    head, _, line = markdown([row]).splitlines()

    assert "| AP evacuation | AP reprisals | mean AP |" in head
    assert line == "| all | 1,200 | 3 | 0 | 0.500 | 0.700 | 0.600 | 0.610 | 0.700 | 0.800 | 0.660 |"
