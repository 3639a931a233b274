"""Several workers on one machine: who falls is started again, who is told to stop stops in order, nobody is left behind."""

import json
import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from stream import cli
from stream.crew import SURPRISE, Crew, Patience, Tell
from stream.faults import EXIT_BUDGET, EXIT_FAULT, EXIT_SETTINGS, EXIT_TRY_AGAIN, BrokerFault
from stream.kafka_io import sink as sinks
from stream.metrics import Metrics
from stream.service import Duty, lead, member
from stream.settings import BadSettings, Settings
from stream.worker import BudgetSpent, Postponed
from tests.fakes import answer_of, tiny_model

FORK = multiprocessing.get_context("fork")
PATIENCE_S = 60.0
SOON = Patience(first_s=0.01, most_s=0.02)
T = TypeVar("T")


def until(look: Callable[[], T]) -> T:
    """What `look` finds, as soon as it finds something; it is asked again and again, but not for ever."""
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(0.01)
    return found


def gone(pid: int) -> bool:
    """Has the process ended, whoever was to wait for it?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@dataclass
class Parent:
    """A parent in a process of its own, and what it and its workers leave in `folder`."""

    folder: Path
    process: Any = None

    def begin(self, work: Callable[[], int]) -> None:
        """Does `work` in a process that is a parent, its standard error in a file."""

        def main() -> None:
            os.dup2(os.open(self.folder / "words", os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
            sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
            logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
            sys.exit(work())

        self.process = FORK.Process(target=main)
        self.process.start()

    @property
    def words(self) -> str:
        return (self.folder / "words").read_text() if (self.folder / "words").exists() else ""

    def pids(self, number: int, count: int = 1) -> list[int]:
        """The processes that held the place of worker `number`, as soon as there were `count`; each was at its work."""
        mark = self.folder / f"worker-{number}"
        return until(lambda: [int(line) for line in _lines(mark)] if len(_lines(mark)) >= count else [])

    def kill(self, number: int) -> None:
        assert self.process.pid
        os.kill(self.process.pid, number)

    def status(self) -> int:
        """The parent's exit status, once it ended."""
        self.process.join(PATIENCE_S)
        assert self.process.exitcode is not None, self.words
        return int(self.process.exitcode)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parent]:
    (tmp_path / "shelves").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "shelves"))
    one = Parent(tmp_path)
    yield one
    if one.process is not None and one.process.exitcode is None:
        one.process.kill()
        one.process.join()


def at_work(folder: Path, number: int) -> int:
    """Writes down that the worker is at its work; which time it is for this place, from 1."""
    with (folder / f"worker-{number}").open("a") as mark:
        mark.write(f"{os.getpid()}\n")
    return len(_lines(folder / f"worker-{number}"))


def until_told(folder: Path, number: int) -> int:
    """What a good worker does: it goes on until SIGTERM, then finishes what it has in hand."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # it waits for the line after the next
    at_work(folder, number)
    assert signal.sigtimedwait([signal.SIGTERM], PATIENCE_S), "nobody told this worker to stop"
    (folder / f"finished-{number}").touch()
    return 0


def finished(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob("finished-*"))


def test_each_worker_is_a_process_of_its_own_and_all_end_in_order_when_the_parent_is_told(parent: Parent) -> None:
    parent.begin(lambda: Crew(3, lambda number, _tell: until_told(parent.folder, number), PATIENCE_S).run())
    pids = [parent.pids(number)[0] for number in (1, 2, 3)]

    parent.kill(signal.SIGTERM)

    assert parent.status() == 0, parent.words
    assert len({*pids, parent.process.pid}) == 4
    assert finished(parent.folder) == ["finished-1", "finished-2", "finished-3"]
    assert all(map(gone, pids))


def test_ctrl_c_which_every_process_of_a_terminal_gets_ends_them_in_order_too(parent: Parent) -> None:
    def work() -> int:
        os.setpgid(0, 0)
        return Crew(2, lambda number, _tell: until_told(parent.folder, number), PATIENCE_S).run()

    parent.begin(work)
    assert parent.pids(1)
    assert parent.pids(2)

    os.killpg(parent.process.pid, signal.SIGINT)

    assert parent.status() == 0, parent.words
    assert finished(parent.folder) == ["finished-1", "finished-2"]


def test_a_worker_that_is_killed_is_started_again_and_the_others_work_on(parent: Parent) -> None:
    parent.begin(
        lambda: Crew(2, lambda number, _tell: until_told(parent.folder, number), PATIENCE_S, patience=SOON).run()
    )
    other = parent.pids(2)

    os.kill(parent.pids(1)[0], signal.SIGKILL)

    first, second = parent.pids(1, 2)
    assert first != second
    assert "worker 1 was ended by signal 9" in parent.words
    parent.kill(signal.SIGTERM)
    assert parent.status() == 0, parent.words
    assert parent.pids(2) == other


@pytest.mark.parametrize("status", [0, SURPRISE, EXIT_TRY_AGAIN])
def test_a_worker_that_ends_unasked_is_started_again(parent: Parent, status: int) -> None:
    def life(number: int, _tell: Tell) -> int:
        return status if at_work(parent.folder, number) < 4 else until_told(parent.folder, number)

    parent.begin(lambda: Crew(1, life, PATIENCE_S, patience=SOON).run())

    parent.pids(1, 5)  # the fourth writes twice
    parent.kill(signal.SIGTERM)
    assert parent.status() == 0, parent.words
    assert parent.words.count(f"worker 1 ended with status {status}") == 3


def test_a_worker_that_meets_a_surprise_shows_where_and_is_started_again(parent: Parent) -> None:
    def life(number: int, _tell: Tell) -> int:
        if at_work(parent.folder, number) == 1:
            raise ZeroDivisionError("of all things")
        return until_told(parent.folder, number)

    parent.begin(lambda: Crew(1, life, PATIENCE_S, patience=SOON).run())

    parent.pids(1, 3)
    parent.kill(signal.SIGTERM)
    assert parent.status() == 0
    assert "ZeroDivisionError: of all things" in parent.words


@pytest.mark.parametrize("status", [EXIT_FAULT, EXIT_SETTINGS, EXIT_BUDGET])
def test_what_no_restart_mends_ends_all_in_order_and_with_its_status(parent: Parent, status: int) -> None:
    def life(number: int, _tell: Tell) -> int:
        if number == 1:
            return until_told(parent.folder, number)
        parent.pids(1)
        at_work(parent.folder, number)
        return status

    parent.begin(lambda: Crew(2, life, PATIENCE_S, patience=SOON).run())

    assert parent.status() == status, parent.words
    assert finished(parent.folder) == ["finished-1"]
    assert len(parent.pids(2)) == 1
    assert "which no restart mends: ending all" in parent.words


def test_a_worker_that_does_not_end_in_the_watchdog_s_time_is_killed_and_the_parent_says_so(parent: Parent) -> None:
    def life(number: int, _tell: Tell) -> int:
        if number == 1:
            return until_told(parent.folder, number)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        at_work(parent.folder, number)
        return int(threading.Event().wait(PATIENCE_S))

    parent.begin(lambda: Crew(2, life, limit_s=3.0).run())
    assert parent.pids(1)
    stubborn = parent.pids(2)[0]

    parent.kill(signal.SIGTERM)

    assert parent.status() == EXIT_TRY_AGAIN
    assert "worker 2 did not end within 3 s" in parent.words
    assert "worker 1 did" not in parent.words
    assert gone(stubborn)


def test_workers_do_not_outlive_a_parent_that_is_killed(parent: Parent) -> None:
    parent.begin(lambda: Crew(3, lambda number, _tell: until_told(parent.folder, number), PATIENCE_S).run())
    pids = [parent.pids(number)[0] for number in (1, 2, 3)]

    parent.kill(signal.SIGKILL)

    assert parent.status() == -signal.SIGKILL
    assert until(lambda: all(map(gone, pids)))
    assert finished(parent.folder) == []


def test_a_worker_that_was_started_again_does_not_outlive_the_parent_either(parent: Parent) -> None:
    parent.begin(
        lambda: Crew(2, lambda number, _tell: until_told(parent.folder, number), PATIENCE_S, patience=SOON).run()
    )
    os.kill(parent.pids(1)[0], signal.SIGKILL)
    pids = [parent.pids(1, 2)[1], parent.pids(2)[0]]

    parent.kill(signal.SIGKILL)

    assert until(lambda: all(map(gone, pids)))


def test_the_wait_doubles_up_to_its_bound() -> None:
    patience = Patience(first_s=1.0, most_s=60.0)

    assert [patience.delay_s(falls) for falls in (1, 2, 3, 6, 7, 1000)] == [1, 2, 4, 32, 60, 60]


@pytest.mark.parametrize(("healthy_s", "waits"), [(PATIENCE_S, [1, 2, 4]), (0.0, [1, 1, 1])])
def test_the_wait_begins_anew_after_a_while_of_health(parent: Parent, healthy_s: float, waits: list[int]) -> None:
    patience = Patience(first_s=0.001, most_s=1.0, healthy_s=healthy_s)

    def life(number: int, _tell: Tell) -> int:
        return SURPRISE if at_work(parent.folder, number) < 4 else until_told(parent.folder, number)

    parent.begin(lambda: Crew(1, life, PATIENCE_S, patience=patience).run())

    parent.pids(1, 5)
    parent.kill(signal.SIGTERM)
    assert parent.status() == 0
    assert re.findall(r"again in (\S+) s", parent.words) == [f"{wait / 1000:g}" for wait in waits]


class Port:
    """The one port of a parent and its workers."""

    def __init__(self, parent: Parent) -> None:
        self.base = until(lambda: re.search(r"http://127\.0\.0\.1:\d+", parent.words))[0]  # type: ignore[index]

    def get(self, path: str) -> tuple[int, str]:
        return answer_of(self.base + path)

    def shows(self, *lines: str) -> str:
        """The metrics, as soon as all these lines are among them."""

        def look() -> str:
            text = self.get("/metrics")[1]
            return text if set(lines) <= set(text.splitlines()) else ""

        return until(look)


def leading(parent: Parent, duty: Duty, **more: Any) -> Port:
    settings = replace(Settings(), workers=2, http_port=0, **more)
    parent.begin(lambda: lead(settings, tiny_model(), duty))
    return Port(parent)


def test_one_port_sums_what_the_workers_count_and_each_partition_s_lag_is_its_holder_s(parent: Parent) -> None:
    def duty(number: int, metrics: Metrics, tell: Tell) -> int:
        metrics.articles.labels("alert").inc(number)
        metrics.newest.set(1000 + number)
        metrics.seconds.observe(0.5)
        metrics.set_lag([("articles", number, 10 * number), ("articles", 3, 7)] if number == 1 else [])
        if number == 2:
            parent.pids(1)
            metrics.set_lag([("articles", 2, 20), ("articles", 3, 5)])  # partition 3 came over from worker 1
        return until_told(parent.folder, number)

    port = leading(parent, duty)

    text = port.shows(
        'newsalert_articles_total{outcome="alert"} 3.0',
        'newsalert_articles_total{outcome="refused"} 0.0',
        "newsalert_classification_seconds_count 2.0",
        "newsalert_last_article_timestamp_seconds 1002.0",
        'newsalert_model_info{created="2026-03-01T00:00:00Z",name="tiny",version="1"} 1.0',
        'newsalert_consumer_lag_records{partition="1",topic="articles"} 10.0',
        'newsalert_consumer_lag_records{partition="2",topic="articles"} 20.0',
        'newsalert_consumer_lag_records{partition="3",topic="articles"} 5.0',
        "newsalert_worker_restarts_total 0.0",
    )
    assert "pid=" not in text


def test_the_lag_of_a_partition_that_went_to_another_machine_is_forgotten(parent: Parent) -> None:
    def duty(number: int, metrics: Metrics, tell: Tell) -> int:
        metrics.set_lag([("articles", number, 10), ("articles", 7, 10)] if number == 1 else [])
        metrics.set_lag([("articles", number, 4)])
        return until_told(parent.folder, number)

    text = leading(parent, duty).shows(
        'newsalert_consumer_lag_records{partition="1",topic="articles"} 4.0',
        'newsalert_consumer_lag_records{partition="2",topic="articles"} 4.0',
    )

    assert 'partition="7"' not in text


def test_counts_survive_the_worker_that_made_them_and_what_it_held_does_not(parent: Parent) -> None:
    def duty(number: int, metrics: Metrics, tell: Tell) -> int:
        metrics.articles.labels("quiet").inc(5)
        if number == 1 and not _lines(parent.folder / "worker-1"):
            metrics.set_lag([("articles", 9, 10)])
        return until_told(parent.folder, number) if number == 1 else int(threading.Event().wait(PATIENCE_S))

    port = leading(parent, duty)
    port.shows(
        'newsalert_articles_total{outcome="quiet"} 10.0',
        'newsalert_consumer_lag_records{partition="9",topic="articles"} 10.0',
    )

    os.kill(parent.pids(1)[0], signal.SIGKILL)

    parent.pids(1, 2)
    text = port.shows('newsalert_articles_total{outcome="quiet"} 15.0', "newsalert_worker_restarts_total 1.0")
    assert 'partition="9"' not in text


def test_the_port_is_ready_when_every_worker_has_its_share_and_healthy_while_each_makes_progress(
    parent: Parent,
) -> None:
    def duty(number: int, metrics: Metrics, tell: Tell) -> int:
        at_work(parent.folder, number)
        while not (parent.folder / f"stand-still-{number}").exists():
            tell((parent.folder / f"join-{number}").exists())
            threading.Event().wait(0.01)
        return until_told(parent.folder, number)

    port = leading(parent, duty, watchdog_s=3.0)
    (parent.folder / "join-1").touch()

    assert until(lambda: "worker 2" in port.get("/readyz")[1] and "worker 1" not in port.get("/readyz")[1])
    (parent.folder / "join-2").touch()
    assert until(lambda: port.get("/readyz")[0] == 200)
    assert port.get("/healthz")[0] == 200
    (parent.folder / "stand-still-1").touch()
    assert until(lambda: port.get("/healthz")[0] == 503)
    missing = json.loads(port.get("/healthz")[1])["missing"]
    assert re.fullmatch(r"no progress: worker 1 for \d+ s", missing)


def test_a_worker_that_is_away_makes_the_port_not_ready(parent: Parent) -> None:
    def duty(number: int, metrics: Metrics, tell: Tell) -> int:
        tell(_lines(parent.folder / f"worker-{number}") == [])  # its successor gets no share
        return until_told(parent.folder, number)

    port = leading(parent, duty)
    first = parent.pids(1)[0]
    assert until(lambda: port.get("/readyz")[0] == 200)

    os.kill(first, signal.SIGKILL)

    assert until(lambda: port.get("/readyz")[0] == 503)
    assert "worker 1" in port.get("/readyz")[1]


def test_the_folder_of_the_metrics_is_gone_at_the_end_and_the_port_is_free(parent: Parent) -> None:
    shelves = parent.folder / "shelves"
    port = leading(parent, lambda number, _metrics, _tell: until_told(parent.folder, number))
    assert parent.pids(1)
    assert parent.pids(2)
    assert len(list(shelves.iterdir())) == 1

    parent.kill(signal.SIGTERM)

    assert parent.status() == 0, parent.words
    assert list(shelves.iterdir()) == []
    with pytest.raises(urllib.error.URLError), suppress(ConnectionResetError):
        port.get("/metrics")


@pytest.mark.parametrize(
    ("fault", "status"), [(BudgetSpent, EXIT_BUDGET), (BadSettings, EXIT_SETTINGS), (BrokerFault, EXIT_FAULT)]
)
def test_the_command_ends_as_its_worker_would_have_ended_alone(
    parent: Parent, fault: type[Exception], status: int
) -> None:
    def work(number: int, metrics: Metrics, tell: Tell) -> None:
        if number == 2:
            raise fault("what to do is this")
        until_told(parent.folder, number)

    leading(parent, cli._as_one_of_many(work))

    assert parent.status() == status, parent.words
    assert "newsalert: what to do is this\n" in parent.words


def test_a_worker_whose_batch_was_postponed_too_often_is_a_fresh_one_the_next_time(parent: Parent) -> None:
    def work(number: int, metrics: Metrics, tell: Tell) -> None:
        if at_work(parent.folder, number) == 1 and number == 1:
            raise Postponed("the group is sharing out its partitions anew")
        until_told(parent.folder, number)

    leading(parent, cli._as_one_of_many(work))

    parent.pids(1, 3)
    parent.pids(2, 2)
    parent.kill(signal.SIGTERM)
    assert parent.status() == 0, parent.words
    assert f"worker 1 ended with status {EXIT_TRY_AGAIN} after" in parent.words


@pytest.mark.parametrize("given", ["desk", ""])
def test_a_worker_has_the_same_names_each_time_and_no_other_has_them(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    names: list[tuple[str, str]] = []

    def note(settings: Settings, transactional_id: str) -> None:
        names.append((settings.instance_id, transactional_id))
        raise BrokerFault("no broker is needed for this")

    monkeypatch.setattr(sinks, "transactional_producer", note)
    model = tiny_model()
    work = member(replace(Settings(), instance_id=given), model)

    for number in (1, 2, 1):
        with pytest.raises(BrokerFault):
            work(number, Metrics(model.card), lambda _joined: None)

    first, second, again = names
    assert first == again
    assert first[1].removesuffix("-1") == second[1].removesuffix("-2")
    assert first[1].startswith("newsalert-")
    if given:
        assert names[:2] == [("desk-1", "newsalert-desk-1"), ("desk-2", "newsalert-desk-2")]
    else:
        assert {instance for instance, _ in names} == {""}  # what is told nothing of its name is no static member
