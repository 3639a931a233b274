"""What the brokers under the demo and under the tests promise."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from stream.broker import embedded_broker
from stream.faults import BrokerFault
from tests.conftest import Broker, Topics, fresh_topics
from tests.kafka_jars import kafka_jars
from tests.kafka_server import KafkaMissing, ServerFault, apache_kafka

DEADLINE_S = 30.0
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def send(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=bootstrap)
    try:
        for sent in [producer.send(topic, value) for value in values]:
            sent.get(DEADLINE_S)
    finally:
        producer.close(timeout=5)


def read(bootstrap: str, topic: str, count: int, isolation: str = "read_committed") -> list[bytes]:
    """The first `count` values of partition 0, or fewer when the deadline passes first."""
    with KafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", isolation_level=isolation
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        deadline = time.monotonic() + DEADLINE_S
        values: list[bytes] = []
        while len(values) < count and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=200).values():
                values += [record.value for record in records]
        return values


def script(folder: Path, text: str) -> Path:
    """An executable that stands in for the broker's program."""
    path = folder / "program"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


def holds(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def data_folder(lines: list[str]) -> Path:
    (line,) = [line for line in lines if "data dir: " in line]
    return Path(line.rpartition("data dir: ")[2])


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes_about(word: str) -> list[int]:
    """The ids of the running processes whose command line holds the word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if word.encode() in command and is_alive(int(folder.name)):
            found.append(int(folder.name))
    return found


def test_a_broker_gives_back_the_record_that_it_took(broker: Broker, topics: Topics) -> None:
    send(broker.bootstrap, topics.alerts, b"first", b"second")
    assert read(broker.bootstrap, topics.alerts, 2) == [b"first", b"second"]


def test_a_record_of_an_aborted_transaction_is_never_read(broker: Broker, topics: Topics) -> None:
    producer = KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=topics.alerts)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topics.alerts, b"aborted").get(DEADLINE_S)
    producer.abort_transaction()
    producer.begin_transaction()
    producer.send(topics.alerts, b"committed").get(DEADLINE_S)
    producer.commit_transaction()
    producer.close(timeout=5)
    assert read(broker.bootstrap, topics.alerts, 2, "read_uncommitted") == [b"aborted", b"committed"]
    assert read(broker.bootstrap, topics.alerts, 1) == [b"committed"]


def test_topics_are_fresh_and_articles_have_two_partitions(broker: Broker, topics: Topics) -> None:
    assert fresh_topics(broker.bootstrap) != topics
    with KafkaConsumer(bootstrap_servers=broker.bootstrap) as consumer:
        assert consumer.partitions_for_topic(topics.articles) == {0, 1}
        ends = consumer.end_offsets([TopicPartition(topics.articles, number) for number in (0, 1)])
    assert list(ends.values()) == [0, 0]


def test_articles_of_a_megabyte_pass(broker: Broker, topics: Topics) -> None:
    article = os.urandom(1_000_000)
    send(broker.bootstrap, topics.alerts, article, article, article)
    assert read(broker.bootstrap, topics.alerts, 3) == [article, article, article]


@on_linux
def test_the_embedded_broker_leaves_no_process_and_no_folder_behind() -> None:
    lines: list[str] = []
    with embedded_broker(lines.append):
        folder = data_folder(lines)
        assert folder.is_dir()
        assert len(processes_about(str(folder))) == 1
    assert not folder.exists()
    assert processes_about(str(folder)) == []


def test_the_embedded_broker_ends_when_its_block_fails() -> None:
    lines: list[str] = []
    with pytest.raises(ZeroDivisionError), embedded_broker(lines.append):
        raise ZeroDivisionError
    assert processes_about(str(data_folder(lines))) == []


@on_linux
def test_the_embedded_broker_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    holder = (
        "from stream.broker import embedded_broker\nwith embedded_broker(lambda line: print(line, flush=True)): input()"
    )
    # a killed process removes nothing, so the folder that it leaves goes with the test's own
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        line = next(line for line in parent.stdout if "data dir: " in line).strip()
        folder = str(data_folder([line]))
        assert len(processes_about(folder)) == 1
        parent.kill()
    assert holds(lambda: processes_about(folder) == [])


def test_two_embedded_brokers_run_side_by_side() -> None:
    with embedded_broker() as one, embedded_broker() as other:
        assert one != other


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(BrokerFault, match=r"pip install 'newsalert\[demo\]'"), embedded_broker():
        pass


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "noida-db"
    with pytest.raises(BrokerFault, match=str(absent)), embedded_broker(program=absent):
        pass


def test_a_program_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    program = script(tmp_path, "print('this machine is too old')")
    told = "ended at once; it said: this machine is too old"
    with pytest.raises(BrokerFault, match=told), embedded_broker(program=program):
        pass


def test_a_program_that_says_no_address_is_ended_at_the_deadline(tmp_path: Path) -> None:
    program = script(tmp_path, "import time; print('thinking', flush=True); time.sleep(1000)")
    with (
        pytest.raises(BrokerFault, match="gave no address in 1 s; it said: thinking"),
        embedded_broker(program=program, start_timeout_s=1),
    ):
        pass
    assert processes_about(str(program)) == []


def test_a_talkative_program_never_waits_for_its_reader(tmp_path: Path) -> None:
    # more than a pipe holds, after the address; the last line comes only if somebody reads
    text = "print('kafka 127.0.0.1:1')\nfor _ in range(5000): print('x' * 100)\nprint('done')"
    lines: list[str] = []
    with embedded_broker(lines.append, program=script(tmp_path, text)) as bootstrap:
        assert bootstrap == "127.0.0.1:1"
        assert holds(lambda: "done" in lines)


def test_without_java_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KafkaMissing, match="openjdk-17-jre-headless maven"), apache_kafka(tmp_path):
        pass


def test_without_maven_the_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("NEWSALERT_TEST_KAFKA_JARS", str(tmp_path / "jars"))
    with pytest.raises(KafkaMissing, match="openjdk-17-jre-headless maven"):
        kafka_jars()
    assert not (tmp_path / "jars").exists()


@pytest.mark.kafka
def test_apache_kafka_keeps_its_records_when_it_is_killed_and_started_again(tmp_path: Path) -> None:
    with apache_kafka(tmp_path) as cluster:
        (node,) = cluster.nodes
        topics = fresh_topics(cluster.bootstrap)
        send(cluster.bootstrap, topics.alerts, b"before")
        before = node.pid
        node.kill()
        assert not is_alive(before)
        with pytest.raises(ServerFault, match="not running"):
            _ = node.pid
        node.start()
        assert node.pid != before
        send(cluster.bootstrap, topics.alerts, b"after")
        assert read(cluster.bootstrap, topics.alerts, 2) == [b"before", b"after"]
    assert not is_alive(before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.kafka
def test_three_nodes_carry_on_when_one_of_them_is_killed(tmp_path: Path) -> None:
    with apache_kafka(tmp_path, nodes=3) as cluster:
        topics = fresh_topics(cluster.bootstrap)
        send(cluster.bootstrap, topics.alerts, b"with three")
        cluster.nodes[0].kill()
        send(cluster.bootstrap, topics.alerts, b"with two")
        cluster.nodes[0].start()
        assert read(cluster.bootstrap, topics.alerts, 2) == [b"with three", b"with two"]
