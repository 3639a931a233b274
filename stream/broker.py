"""The embedded broker (noida-db) that the demo talks to when nobody has set up a broker."""

import atexit
import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from stream.faults import BrokerFault

_ADDRESS = re.compile(r"\bkafka\s+(127\.0\.0\.1:\d+)")
_INSTALL = "install it with: pip install 'newsalert[demo]'"
_STOP_TIMEOUT_S = 5.0

# PR_SET_PDEATHSIG (1) outlives exec but not fork, so the child sets it on itself and then becomes the
# command. A parent that died before the call leaves no signal behind, hence the look at the parent's id.
_LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def dies_with_parent(command: Sequence[str]) -> list[str]:
    """The same command, on Linux killed by the kernel when this process ends in whatever way.

    The first word is the absolute path of an executable. The process keeps the id that it was started
    with. The signal follows the thread that starts the command, so start it from one that lives on.
    """
    if not sys.platform.startswith("linux"):
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]


@contextmanager
def embedded_broker(
    log: Callable[[str], None] | None = None,
    program: Path | None = None,
    start_timeout_s: float = 10.0,
) -> Iterator[str]:
    """Yield the bootstrap address, "127.0.0.1:PORT", of a fresh embedded broker on a free port.

    Its topics live in a temporary folder that is gone afterwards, as is its process. `log` gets each
    line that the broker prints, on a thread of its own, and must not raise. `program` is another
    executable than the one installed with the extra. Ctrl-C in the terminal does not reach the broker:
    it ends when the block ends.

    Raises BrokerFault when the program is missing, ends early, or does not say its address in time.
    """
    path = program or _installed_program()
    _check_executable(path)
    with TemporaryDirectory(prefix="newsalert-broker-") as folder, _running(path, folder) as process:
        yield _address(process, log or _discard, start_timeout_s)


def _installed_program() -> Path:
    # not the script of the same name: that one starts the program as a child, which would outlive it
    try:
        files = metadata.files("noida-db") or []
    except metadata.PackageNotFoundError:
        raise BrokerFault(f"the embedded broker (noida-db) is not installed; {_INSTALL}") from None
    found = [file for file in files if file.parent.name == "noida_db" and file.stem == "noida-db"]
    if not found:
        raise BrokerFault(f"the embedded broker (noida-db) is installed without its program; {_INSTALL}")
    return Path(str(found[0].locate()))


def _check_executable(path: Path) -> None:
    if not path.is_file():
        raise BrokerFault(f"the embedded broker (noida-db) is missing at {path}; {_INSTALL}")
    if not os.access(path, os.X_OK):
        raise BrokerFault(f"the embedded broker (noida-db) may not be executed: chmod +x {path}")


@contextmanager
def _running(path: Path, folder: str) -> Iterator[subprocess.Popen[str]]:
    options = ["start", "--only", "kafka", "--kafka-port", "0", "--host", "127.0.0.1", "--data-dir", folder]
    process = subprocess.Popen(  # noqa: S603  # the program of the package, and arguments made here
        dies_with_parent([str(path.absolute()), *options]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    atexit.register(process.kill)
    try:
        yield process
    finally:
        _end(process)
        atexit.unregister(process.kill)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[str], log: Callable[[str], None], timeout_s: float) -> str:
    assert process.stdout is not None
    address: Future[str] = Future()
    tail: deque[str] = deque(maxlen=20)
    threading.Thread(target=_drain, args=(process.stdout, address, tail, log), daemon=True).start()
    try:
        return address.result(timeout_s)
    except TimeoutError:
        said = "".join(tail) or "nothing"
        raise BrokerFault(
            f"the embedded broker (noida-db) gave no address in {timeout_s:g} s; it said: {said}"
        ) from None


def _drain(output: IO[str], address: Future[str], tail: deque[str], log: Callable[[str], None]) -> None:
    with output:
        for line in output:  # to the end, or a full pipe would stop the broker
            tail.append(line)
            log(line.rstrip("\n"))
            found = _ADDRESS.search(line)
            if found and not address.done():
                address.set_result(found[1])
    if not address.done():
        said = "".join(tail) or "nothing"
        address.set_exception(BrokerFault(f"the embedded broker (noida-db) ended at once; it said: {said}"))


def _discard(_line: str) -> None: ...
