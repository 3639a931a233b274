"""Nothing is lost, nothing is sent twice, and what cannot be mended stops the worker with a sentence."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from stream.article import Refused
from stream.metrics import Metrics
from stream.model import Model
from stream.settings import Settings
from stream.worker import ATTEMPTS, BudgetSpent, Outgoing, Postponed, Record, RefusalBudget, Worker, message
from tests.fakes import NOW, FakeBroker, article, record, tiny_model

BAD = b"\xff"
ALARM = "The airlift goes on, men were hunted."


def worker(broker: FakeBroker, longest_run: int = 0, largest_share: float = 1.0, model: Model | None = None) -> Worker:
    model = model or tiny_model()
    budget = RefusalBudget(longest_run, largest_share)
    return Worker(broker, broker, model, Settings(), Metrics(model.card), budget, clock=lambda: NOW)


def run(broker: FakeBroker, **more: int | float) -> Worker:
    """Until everything is taken."""
    one = worker(broker, **more)  # type: ignore[arg-type]
    while broker.taken < len(broker.records):
        one.step()
    return one


def sent(broker: FakeBroker, topic: str) -> list[Outgoing]:
    return [outgoing for outgoing in broker.committed if outgoing.topic == topic]


def value_of(one: Worker, name: str, **labels: str) -> float:
    return one.metrics.registry.get_sample_value(name, labels) or 0.0


def test_poll_classify_send_flush_commit_come_in_this_order() -> None:
    broker, told = FakeBroker([record(article(1, ALARM)), record(article(2), 1)]), list[str]()
    one = worker(broker)
    one.tell = told.append

    one.step()

    assert broker.calls == ["poll", "begin", "send", "send", "send", "flush", "commit"]
    assert told == ["poll", "classify", "send", "flush", "commit"]


def test_an_empty_poll_opens_no_transaction() -> None:
    broker = FakeBroker()

    worker(broker).step()

    assert broker.calls == ["poll"]


def test_every_article_has_its_verdict_and_alarming_ones_an_alert_too() -> None:
    broker = FakeBroker(
        [record(article(number, ALARM if number % 3 == 0 else "Quiet."), number) for number in range(10)], 4
    )

    run(broker)

    assert [outgoing.key for outgoing in sent(broker, "verdicts")] == [f"a{number}".encode() for number in range(10)]
    assert len(sent(broker, "alerts")) == 4
    assert broker.position == 10


def test_a_dead_letter_is_untouched_and_says_where_it_came_from_and_why() -> None:
    headers = [("traceparent", b"00-1"), ("reason", b"of the sender")]
    broker = FakeBroker([record(BAD, 41, partition=3, key=b"k", headers=headers)])

    run(broker)

    dead = sent(broker, "articles.dead")[0]
    assert (dead.key, dead.value) == (b"k", BAD)
    assert dict(dead.headers) == {
        "traceparent": b"00-1",
        "source_topic": b"articles",
        "source_partition": b"3",
        "source_offset": b"41",
        "source_timestamp": str(int((NOW - timedelta(hours=1)).timestamp() * 1000)).encode(),
        "reason": b"not_utf8",
        "error": dict(dead.headers)["error"],
    }


def test_a_record_with_neither_key_nor_value_is_kept_too() -> None:
    broker = FakeBroker([record(None)])

    run(broker)

    dead = sent(broker, "articles.dead")[0]
    assert (dead.value, dict(dead.headers)["source_value"]) == (b"", b"null")


def test_refusals_disturb_no_other_record_of_their_batch() -> None:
    broker = FakeBroker([record(BAD if number % 2 else article(number), number) for number in range(20)])

    run(broker)

    assert len(sent(broker, "articles.dead")) == 10
    assert len(sent(broker, "verdicts")) == 10


@pytest.mark.parametrize("stage", ["begin", "send", "flush", "commit"])
def test_a_rebalance_in_any_stage_loses_nothing_and_repeats_nothing(stage: str) -> None:
    broker = FakeBroker([record(article(number), number) for number in range(6)], 3)
    broker.postpone(stage)

    one = run(broker)

    assert [outgoing.key for outgoing in sent(broker, "verdicts")] == [f"a{number}".encode() for number in range(6)]
    assert value_of(one, "newsalert_postponed_batches_total") == 1
    assert value_of(one, "newsalert_articles_total", outcome="quiet") == 6


def test_a_batch_that_can_never_be_committed_stops_the_worker() -> None:
    broker = FakeBroker([record(article(1))])
    broker.postpone("commit", times=100)

    with pytest.raises(Postponed):
        run(broker)

    assert broker.calls.count("commit") == ATTEMPTS
    assert broker.committed == []


def test_a_fault_before_the_commit_commits_nothing() -> None:
    class Surprise(Exception):
        pass

    broker = FakeBroker([record(article(1))])
    broker.fail_at["flush"] = [Surprise()]

    with pytest.raises(Surprise):
        run(broker)

    assert (broker.committed, broker.position) == ([], 0)


def test_too_many_refusals_in_a_row_stop_the_worker_before_they_are_committed() -> None:
    broker = FakeBroker([record(article(0)), *(record(BAD, number) for number in range(1, 50))], 10)

    with pytest.raises(BudgetSpent, match="25 records in a row"):
        run(broker, longest_run=25)

    assert len(sent(broker, "articles.dead")) == 19
    assert broker.position == 20


def test_too_large_a_share_of_refusals_stops_the_worker() -> None:
    broker = FakeBroker([record(BAD if number % 5 else article(number), number) for number in range(2000)], 100)

    with pytest.raises(BudgetSpent, match="of the last 1000"):
        run(broker, largest_share=0.5)

    assert broker.position == 900


def test_single_bad_records_never_stop_it() -> None:
    broker = FakeBroker([record(BAD if number % 3 == 0 else article(number), number) for number in range(3000)], 100)

    run(broker, longest_run=2, largest_share=0.5)

    assert broker.position == 3000


def test_told_to_stop_it_commits_the_batch_in_hand_and_takes_no_other() -> None:
    broker = FakeBroker([record(article(number), number) for number in range(10)], 2)
    one = worker(broker)

    def stop_while_classifying(stage: str) -> None:
        one.stopping = one.stopping or stage == "classify"

    one.tell = stop_while_classifying
    one.run()

    assert broker.position == 2


def test_metrics_count_what_was_committed() -> None:
    broker = FakeBroker([record(article(1, ALARM)), record(BAD, 1), record(article(2), 2)])

    one = run(broker)

    assert {
        outcome: value_of(one, "newsalert_articles_total", outcome=outcome) for outcome in ("alert", "quiet", "refused")
    } == {
        "alert": 1,
        "quiet": 1,
        "refused": 1,
    }
    assert value_of(one, "newsalert_refused_total", reason="not_utf8") == 1
    assert value_of(one, "newsalert_alerts_total", topic="reprisals", urgency="critical") == 1
    assert value_of(one, "newsalert_alerts_total", topic="governance", urgency="critical") == 0
    assert value_of(one, "newsalert_end_to_end_seconds_sum") == pytest.approx(3 * 3600)
    assert value_of(one, "newsalert_consumer_lag_records", topic="articles", partition="0") == 0
    assert value_of(one, "newsalert_last_article_timestamp_seconds") == NOW.timestamp() - 3600


def test_the_budget_forgets_a_run_at_the_first_good_record() -> None:
    budget = RefusalBudget(longest_run=3, largest_share=1.0)
    refused = Refused(None, "why")  # type: ignore[arg-type]
    good: Sequence[object] = [object()]

    for _ in range(10):
        budget.spend([refused, refused, *good])  # type: ignore[list-item]

    assert budget.run == 0


def test_a_message_takes_its_headers_from_the_record() -> None:
    one = Record("articles", 0, 0, -1, None, b"{}", [("content-type", b"text/plain"), ("cap_status", b"nonsense")])

    assert (message(one).content_type, message(one).cap_status) == ("text/plain", "Actual")
