"""The watchdog bites only what stands still, and the HTTP port says what Prometheus and Kubernetes ask."""

import json
import threading
from collections.abc import Iterator

import pytest

from stream.metrics import Metrics, serve_http
from stream.watchdog import Watchdog
from tests.fakes import answer_of, tiny_model


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_watchdog_bites_when_there_is_no_progress_and_names_the_stage() -> None:
    clock, bites = Clock(), list[str]()
    dog = Watchdog(30.0, bites.append, clock)

    dog.beat("commit")
    clock.now += 31

    assert dog.check()
    assert not dog.alive
    assert "31 s in stage 'commit'" in bites[0]


def test_the_watchdog_lets_slow_progress_be() -> None:
    clock, bites = Clock(), list[str]()
    dog = Watchdog(30.0, bites.append, clock)

    for _ in range(100):
        clock.now += 29
        assert not dog.check()
        dog.beat("poll")

    assert bites == []


def test_the_watchdog_s_own_thread_bites() -> None:
    bitten = threading.Event()
    dog = Watchdog(0.05, lambda _told: bitten.set())

    dog.start()

    assert bitten.wait(10)


def test_a_stopped_watchdog_bites_no_more() -> None:
    bites: list[str] = []
    dog = Watchdog(3600.0, bites.append)
    dog.start()

    dog.stop()

    assert bites == []


class Port:
    """The HTTP port with answers that a test can change."""

    missing: str | None = None
    base: str

    def get(self, path: str) -> tuple[int, str]:
        return answer_of(self.base + path)


@pytest.fixture
def port() -> Iterator[Port]:
    found = Port()
    server = serve_http(Metrics(tiny_model().card).registry, "127.0.0.1", 0, lambda: None, lambda: found.missing)
    found.base = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


def test_prometheus_sees_every_metric_and_every_label_before_the_first_article(port: Port) -> None:
    status, text = port.get("/metrics")

    assert status == 200
    for line in (
        'newsalert_articles_total{outcome="refused"} 0.0',
        'newsalert_refused_total{reason="lone_surrogate"} 0.0',
        'newsalert_alerts_total{topic="governance",urgency="critical"} 0.0',
        'newsalert_model_info{created="2026-03-01T00:00:00Z",name="tiny",version="1"} 1.0',
    ):
        assert line in text


def test_readiness_follows_the_group_and_liveness_does_not(port: Port) -> None:
    port.missing = "no share yet"

    assert port.get("/readyz")[0] == 503
    assert json.loads(port.get("/readyz")[1]) == {"ok": False, "missing": "no share yet"}
    assert port.get("/healthz")[0] == 200
    port.missing = None
    assert port.get("/readyz")[0] == 200


def test_any_other_path_is_told_which_there_are(port: Port) -> None:
    status, text = port.get("/")

    assert status == 404
    assert "/metrics" in text
