"""The layout holds: what runs online needs nothing of training, and each outside library has one door."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOORS = {
    "kafka": "stream/kafka_io/",
    "prometheus_client": "stream/metrics.py",
    "sklearn": "training/",
    "joblib": "training/",
    "numba": "stream/kernels.py",
    "matplotlib": "training/",
    "scipy": "training/",
}


def imports(file: Path) -> Iterator[str]:
    """The top-level packages that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_stream_never_imports_training() -> None:
    assert [file for file in sources("stream") if "training" in set(imports(file))] == []


@pytest.mark.parametrize("library", DOORS)
def test_each_outside_library_has_one_door(library: str) -> None:
    users = {
        str(file.relative_to(ROOT))
        for folder in ("stream", "training")
        for file in sources(folder)
        if library in set(imports(file))
    }

    assert users
    assert [user for user in users if not user.startswith(DOORS[library])] == []


PURE = (
    "article",
    "ninjs",
    "wire",
    "features",
    "kernels",
    "lexicon",
    "sentences",
    "language",
    "evidence",
    "explain",
    "verdict",
    "story",
    "alert",
    "pipeline",
    "urgency",
)


@pytest.mark.parametrize("name", PURE)
def test_the_core_is_pure(name: str) -> None:
    impure = {"os", "sys", "time", "socket", "logging", "pathlib", "subprocess", "threading", "random"}

    assert impure.isdisjoint(imports(ROOT / "stream" / f"{name}.py"))


def test_serving_needs_no_training_library() -> None:
    """A worker's image has neither scikit-learn nor training; the commands must start without them."""
    blocked = (
        "import sys; sys.modules.update(dict.fromkeys(['sklearn', 'scipy', 'joblib', 'matplotlib', 'training'])); "
    )
    code = blocked + "import stream.service, stream.cli, stream.demo; print(len(stream.cli.COMMANDS))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10


def test_a_command_that_scores_nothing_does_not_wait_for_the_compiler() -> None:
    code = "import sys, training.cli, stream.service, stream.pipeline; print('numba' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_the_commands_are_those_of_the_design() -> None:
    from training.cli import COMMANDS  # noqa: PLC0415

    design = (
        "demo run classify publish watch replay check schema train evaluate compare promote rollback models retrain"
    )

    assert set(design.split()) <= {command.name for command in COMMANDS}


@pytest.mark.parametrize("file", [ROOT / "stream/samples/articles.jsonl", ROOT / "stream/samples/ninjs.jsonl"])
def test_samples_are_json_lines(file: Path) -> None:
    for line in file.read_text().splitlines():
        json.loads(line)


def test_nothing_in_the_repository_names_this_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    home = os.path.expanduser("~")  # noqa: PTH111
    texts = {name: (ROOT / name).read_bytes() for name in listed if name and (ROOT / name).is_file()}

    assert [
        name for name, text in texts.items() if str(ROOT).encode() + b"/" in text or (home + "/").encode() in text
    ] == []
