"""Brokers and topics for the tests that need them; nothing starts before a selected test asks for it."""

import uuid
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from stream.broker import embedded_broker
from tests.kafka_server import KafkaMissing, apache_kafka

EMBEDDED, APACHE = "embedded", "apache kafka"


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker: which of the two it is, and its address "127.0.0.1:PORT"."""

    name: str
    bootstrap: str


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of one set of topics; all but `articles` have one partition."""

    articles: str
    verdicts: str
    alerts: str
    dead: str
    feedback: str


@pytest.fixture(scope="session", params=[EMBEDDED, pytest.param(APACHE, marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Each broker that newsalert is held to, in turn: the tests that use it run once for each."""
    starts = {EMBEDDED: _embedded, APACHE: _apache}
    yield from starts[request.param](tmp_path_factory.mktemp("broker"))


@pytest.fixture
def topics(broker: Broker) -> Topics:
    """Fresh topics on the broker, two partitions for articles; no other test knows their names."""
    return fresh_topics(broker.bootstrap)


def fresh_topics(bootstrap: str, articles_partitions: int = 2) -> Topics:
    """Create a set of empty topics with names that were never used before, with the broker's replication.

    Raises KafkaError when the broker refuses them, KafkaTimeoutError when one has no leader in 10 s.
    """
    prefix = uuid.uuid4().hex[:12]
    kinds = ("articles", "verdicts", "alerts", "articles.dead", "feedback")
    topics = Topics(*(f"{prefix}.{kind}" for kind in kinds))
    partitions = {name: articles_partitions if name == topics.articles else 1 for name in astuple(topics)}
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics(
            {name: {"num_partitions": count} for name, count in partitions.items()}, wait_for_metadata=True
        )
    return topics


def _embedded(_folder: Path) -> Iterator[Broker]:
    with embedded_broker() as bootstrap:
        yield Broker(EMBEDDED, bootstrap)


def _apache(folder: Path) -> Iterator[Broker]:
    try:
        with apache_kafka(folder) as cluster:
            yield Broker(APACHE, cluster.bootstrap)
    except KafkaMissing as missing:
        # never a skip: who cannot run these tests says so with -m "not kafka"
        pytest.fail(str(missing), pytrace=False)
