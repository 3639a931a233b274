"""Apache Kafka for tests: real brokers (KRaft, combined mode) on free ports of the loopback address."""

import hashlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.kafka_jars import Java, KafkaMissing, cache_folder, java_program, kafka_jars, locked
from tests.kafka_settings import LOG4J, Address, server_properties

__all__ = ["KafkaCluster", "KafkaMissing", "KafkaServer", "apache_kafka"]

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
_PORT_TRIES = 5
_CLUSTER_ID = "newsalert-tests-kafka1"  # 22 characters of base64, as of a UUID of 16 bytes


class ServerFault(Exception):
    """A server did not start or ended by itself; the message ends with the tail of its log."""


class _PortTaken(ServerFault):
    """Somebody took the port between the choice and the start."""


class KafkaServer:
    """One node, broker and controller at once, that keeps its ports and its data over restarts."""

    def __init__(self, java: Java, folder: Path, address: Address, cluster: Sequence[Address]) -> None:
        folder.mkdir(parents=True)
        self.node = address.node
        self.port = address.port
        self._java = replace(java, flags=(*java.flags, f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "log4j2.properties").write_text(LOG4J)
        (folder / "server.properties").write_text(server_properties(folder / "data", address, cluster))

    @property
    def bootstrap(self) -> str:
        """The address of this node alone, "127.0.0.1:PORT"."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The id of the running process. Raises ServerFault when there is none."""
        if self._process is None:
            raise ServerFault(f"node {self.node} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start on the same ports and data, and wait until the cluster counts this node as alive.

        Raises ServerFault after a minute, so start as many as a majority needs: launch() the others first.
        """
        self.launch()
        _await_ready([self])

    def stop(self) -> None:
        """End it the orderly way, or kill it after half a minute; does nothing when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as when a machine loses its power; does nothing when it is not running."""
        self._end(signal.SIGKILL)

    def format_storage(self) -> subprocess.Popen[bytes]:
        """Begin to format the data folder; the process that does it."""
        return self._run("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c")

    def launch(self) -> None:
        """Start the process without waiting for the broker in it. Raises ServerFault when one runs."""
        if self.running:
            raise ServerFault(f"node {self.node} is already running")
        self._process = self._run("kafka.Kafka")

    def log_tail(self, lines: int = 25) -> str:
        """The last lines that the node printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _run(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        words = self._java.command(main, *arguments, str(self._folder / "server.properties"))
        with self._log.open("ab") as log:
            return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def listens(self) -> bool:
        """Whether somebody accepts connections on the port for clients."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def fault(self, what: str) -> ServerFault:
        """A fault that says what happened to this node and ends with the tail of its log."""
        tail = self.log_tail()
        kind = _PortTaken if "Address already in use" in tail else ServerFault
        return kind(f"Apache Kafka's node {self.node} {what}; the end of its log:\n{tail}")


@dataclass(frozen=True)
class KafkaCluster:
    """The nodes of a cluster, in the order of their numbers."""

    nodes: tuple[KafkaServer, ...]

    @cached_property
    def bootstrap(self) -> str:
        """The addresses of all nodes, "127.0.0.1:PORT,127.0.0.1:PORT"."""
        return ",".join(node.bootstrap for node in self.nodes)

    def start(self) -> None:
        """Start all nodes and wait until each knows of all. Raises ServerFault, with none left running."""
        try:
            for node in self.nodes:
                node.launch()
            _await_ready(self.nodes)
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End all nodes at once."""
        for node in self.nodes:
            node.kill()


@contextmanager
def apache_kafka(folder: Path, nodes: int = 1) -> Iterator[KafkaCluster]:
    """A running cluster of Apache Kafka with its data below `folder`; ended and removed afterwards.

    Topics are never made by themselves; by default they have as many replicas as there are nodes.
    Raises KafkaMissing without Java and Maven, ServerFault when a node does not start.
    """
    cluster = _started(Java(java_program(), kafka_jars(), _class_archive()), folder / "kafka", nodes)
    try:
        yield cluster
    finally:
        cluster.kill()  # nobody needs the data, so there is no order to keep
        shutil.rmtree(folder / "kafka", ignore_errors=True)


def _started(java: Java, folder: Path, nodes: int) -> KafkaCluster:
    for attempt in range(_PORT_TRIES):
        cluster = _formatted(java, folder / str(attempt), nodes)
        with suppress(_PortTaken):
            cluster.start()
            return cluster
    raise ServerFault(f"others took the chosen ports {_PORT_TRIES} times in a row")


def _formatted(java: Java, folder: Path, nodes: int) -> KafkaCluster:
    addresses = [Address(number, _free_port(), _free_port()) for number in range(1, nodes + 1)]
    servers = [KafkaServer(java, folder / str(a.node), a, addresses) for a in addresses]
    formats = [(server, server.format_storage()) for server in servers]
    for server, process in formats:
        if process.wait(START_TIMEOUT_S):
            raise ServerFault(f"the storage could not be formatted:\n{server.log_tail()}")
    return KafkaCluster(tuple(servers))


def _free_port() -> int:
    # below the ports that the kernel hands to clients: none of those takes it while a node is down
    for _ in range(1000):
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerFault("no free port between 15000 and 32000")


def _await_ready(servers: Sequence[KafkaServer], timeout_s: float = START_TIMEOUT_S) -> None:
    # each is asked itself, and the answer has to name them all
    deadline = time.monotonic() + timeout_s
    nodes = {server.node for server in servers}
    for server in servers:
        _wait(server.listens, servers, deadline)
        with _admin(server.bootstrap) as admin:
            _wait(partial(_knows, admin, nodes), servers, deadline)


def _wait(condition: Callable[[], bool], servers: Sequence[KafkaServer], deadline: float) -> None:
    while not condition():
        ended = [server for server in servers if not server.running]
        if ended:
            raise ended[0].fault("ended by itself")
        if time.monotonic() > deadline:
            raise servers[0].fault("was not ready in time")
        time.sleep(0.02)  # between two questions; nothing relies on it


@contextmanager
def _admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, reconnect_backoff_max_ms=200)
    try:
        yield admin
    finally:
        admin.close()


def _knows(admin: KafkaAdminClient, nodes: set[int]) -> bool:
    with suppress(KafkaError):
        brokers = admin.describe_cluster()["brokers"]
        return nodes <= {broker["broker_id"] for broker in brokers if not broker["is_fenced"]}
    return False


def _class_archive() -> tuple[str, ...]:
    """Flags that let the JVM map classes loaded by an earlier run (CDS), which halves its start."""
    java, jars = Path(java_program()).resolve(), kafka_jars()
    stamp = f"{java} {java.stat().st_mtime_ns} {jars} {jars.stat().st_mtime_ns}"
    archive = cache_folder() / f"classes-{hashlib.sha256(stamp.encode()).hexdigest()[:16]}.jsa"
    with locked(archive.with_suffix(".lock")):
        if not archive.exists():
            _dump_classes(archive)
    return (f"-XX:SharedArchiveFile={archive}",) if archive.stat().st_size else ()


def _dump_classes(archive: Path) -> None:
    # a server that starts and stops once; an empty archive says that this JVM can make none
    fresh = archive.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    java = Java(java_program(), kafka_jars(), (f"-XX:ArchiveClassesAtExit={fresh}",))
    with TemporaryDirectory(prefix="newsalert-kafka-") as folder:
        cluster = _started(java, Path(folder), 1)
        cluster.nodes[0].stop()
    fresh.touch()
    fresh.replace(archive)
