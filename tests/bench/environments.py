"""Environments: a virtual one for each peer below build/bench/, made from its committed list of versions, kept while that stays."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench.ground import ROOT, BenchFault

VENVS: Final = ROOT / "build" / "bench" / "venvs"
LISTS: Final = Path(__file__).parent / "peers"
INSTALL_S: Final = 900


def python_of(name: str) -> str:
    """The interpreter of the peer's environment, which is made where it is not there. Raises BenchFault with what pip said."""
    listed = LISTS / f"{name}.txt"
    stamp = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()
    folder = VENVS / name
    mark = folder / "listed"
    if not mark.exists() or mark.read_text() != stamp:
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)], name)
        _run(_installer(folder, listed), name)
        mark.write_text(stamp)
    return str(folder / "bin" / "python")


def versions_of(name: str, packages: tuple[str, ...]) -> str:
    """The listed versions of the packages, "a 1.0, b 2.0"."""
    pairs = (line.split("==") for line in (LISTS / f"{name}.txt").read_text().splitlines() if "==" in line)
    return ", ".join(f"{package} {version}" for package, version in pairs if package in packages)


def _installer(folder: Path, listed: Path) -> list[str]:
    python = str(folder / "bin" / "python")
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "-q", "--python", python, "--no-deps", "-r", str(listed)]
    return [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", str(listed)]


def _run(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
    if done.returncode:
        raise BenchFault(f"the environment of {name} cannot be made:\n{(done.stdout + done.stderr)[-1500:]}")
