"""Java and the jars of Apache Kafka, fetched with Maven once and kept in the user's cache."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from stream.broker import dies_with_parent

POM = Path(__file__).parent / "kafka" / "pom.xml"
JARS_SETTING = "NEWSALERT_TEST_KAFKA_JARS"
_FETCH_TIMEOUT_S = 600.0

# A JVM that runs for seconds: the quick compiler and the smallest collector, no files in shared places.
_JVM = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xlog:disable"]


class KafkaMissing(Exception):
    """Apache Kafka cannot be started here; the message says what to install."""


@dataclass(frozen=True, slots=True)
class Java:
    """How to run a main class of Apache Kafka: the program, the jars, and flags of the JVM."""

    program: str
    jars: Path
    flags: tuple[str, ...] = ()

    def command(self, main: str, *arguments: str) -> list[str]:
        """The words of a command that dies with this process."""
        path = os.pathsep.join(str(jar) for jar in sorted(self.jars.glob("*.jar")))
        return dies_with_parent([self.program, *_JVM, *self.flags, "-cp", path, main, *arguments])


def java_program() -> str:
    """Absolute path of `java`. Raises KafkaMissing when there is none."""
    return _program("java")


def kafka_jars() -> Path:
    """The folder with Apache Kafka's jars: the one that the setting names, else one in the cache.

    Fetches the jars when they are not there. Two test runs side by side wait for one another, and a
    run that is killed leaves no half-filled folder. Raises KafkaMissing when Maven is missing or fails.
    """
    folder = Path(os.environ.get(JARS_SETTING) or cache_folder() / f"kafka-{_version()}")
    with locked(folder.with_name(folder.name + ".lock")):
        if not _holds_kafka(folder):
            _fetch(folder)
    return folder.resolve()


def cache_folder() -> Path:
    """Where this project keeps what a test run may keep for the next; exists afterwards."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "newsalert"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file at `path` so that one process at a time is inside; the lock ends with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise KafkaMissing(
            f"tests against Apache Kafka need Java 17 and Maven, and `{name}` is not on the path. "
            "On Debian: apt-get install openjdk-17-jre-headless maven. "
            'To run the other tests only: pytest -m "not kafka"'
        )
    return str(Path(found).absolute())


def _version() -> str:
    found = ElementTree.parse(POM).findtext(".//{*}kafka.version")
    assert found, f"{POM} names no kafka.version"
    return found


def _holds_kafka(folder: Path) -> bool:
    return any(folder.glob("kafka_2.13-*.jar"))


def _fetch(folder: Path) -> None:
    maven = _program("mvn")
    # beside the folder, so that the move is a rename: all or nothing
    fresh = Path(tempfile.mkdtemp(prefix=folder.name + "-", dir=folder.parent))
    try:
        _copy_dependencies(maven, fresh)
        folder.mkdir(exist_ok=True)  # an empty one may be replaced, any other is refused
        fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _copy_dependencies(maven: str, folder: Path) -> None:
    command = [maven, "-B", "-q", "-f", str(POM), "dependency:copy-dependencies"]
    options = ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False, timeout=_FETCH_TIMEOUT_S)
    if done.returncode or not _holds_kafka(folder):
        raise KafkaMissing(f"Maven could not fetch Apache Kafka:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
