"""The commands do what a user expects of them, in a pipe, on a terminal and when something is wrong."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_model import write_tiny

SEED = Path(__file__).parents[2] / "shared" / "news" / "seed.txt"
ROOT = Path(__file__).parents[1]
NO_WAIT = {"NEWSALERT_CONNECT_TIMEOUT_S": "1", "NEWSALERT_HTTP_PORT": "0"}


def newsalert(*arguments: str, stdin: bytes = b"", **environ: str) -> subprocess.CompletedProcess[bytes]:
    """The console command in a clean environment."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("NEWSALERT_")}
    command = [str(Path(sys.executable).parent / "newsalert"), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=own | environ, check=False, timeout=120)


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    return str(write_tiny(tmp_path / "tiny"))


def test_classify_writes_a_record_a_line_in_input_order_refused_ones_too(tmp_path: Path, tiny: str) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(
        gzip.compress(b'{"id": "1", "text": "An airlift."}\n{"id": "2"}\n{"id": "3", "text": "Football."}\n')
    )
    (tmp_path / "wire.txt").write_text("PORT MAREN, March 3 (RSW) - Men were hunted.")

    done = newsalert("classify", "--model", tiny, str(tmp_path / "a.jsonl.gz"), str(tmp_path / "wire.txt"))

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("article", {}).get("id", "refused")[:1] for line in lines][:3] == ["1", "r", "3"]
    assert lines[1]["refused"]["reason"] == "missing_field"
    assert lines[1]["refused"]["place"].endswith("a.jsonl.gz:2")
    assert [line.get("alert") for line in lines] == [True, None, False, True]
    assert lines[3]["evidence"][0]["topic"] == "reprisals"
    assert lines[3]["article"]["source"] == "RSW"


def test_classify_reads_standard_input_line_by_line_or_as_one_text(tiny: str) -> None:
    two = newsalert("classify", "--model", tiny, "-", stdin=b'{"id": "1", "text": "x"}\n{"id": "2", "text": "y"}\n')
    one = newsalert("classify", "--model", tiny, "-", stdin=b"Men were hunted.\n\nThe airlift went on.\n")

    assert len(two.stdout.splitlines()) == 2
    assert len(one.stdout.splitlines()) == 1


def test_the_shipped_model_needs_no_setting_at_all(tmp_path: Path) -> None:
    text = b"Security forces detained dozens of opposition members in house-to-house raids on Tuesday, the party said."

    done = newsalert("classify", "-", stdin=text, HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path))

    assert json.loads(done.stdout)["topics"][0]["topic"] == "reprisals"


@pytest.mark.skipif(
    not SEED.exists(), reason="the article that started the project is other people's text and not in it"
)
def test_the_article_that_started_the_project_has_all_three_topics_and_evidence() -> None:
    found = json.loads(newsalert("classify", str(SEED)).stdout)

    assert {topic["topic"] for topic in found["topics"]} == {"evacuation", "reprisals", "governance"}
    assert found["urgency"]["level"] in {"critical", "high"}
    evidence = {one["topic"]: " ".join(sentence["text"] for sentence in one["sentences"]) for one in found["evidence"]}
    assert "airlifted" in evidence["evacuation"]
    assert "officials have disappeared" in evidence["reprisals"]
    assert "future government" in evidence["governance"]


@pytest.mark.parametrize(
    ("arguments", "environ", "status", "told"),
    [
        (["classify", "no-such-file.txt"], {}, 1, "no-such-file.txt"),
        (["classify", "--model", "no-such-model", "-"], {}, 1, "newsalert models"),
        (["run"], {"NEWSALERT_HTTP_PORT": "x", "NEWSALERT_GRUOP": "y"}, 2, "NEWSALERT_GROUP"),
        (["run", "--brokers", "127.0.0.1:1"], {"NEWSALERT_CONNECT_TIMEOUT_S": "1"}, 1, "NEWSALERT_BROKERS"),
        (["run", "--workers", "2", "--brokers", "127.0.0.1:1"], NO_WAIT, 1, "which no restart mends"),
        (["run"], {"NEWSALERT_WORKERS": "0"}, 2, "NEWSALERT_WORKERS"),
        (["run", "--workers", "0"], {}, 2, "--workers"),
        (["watch", "--brokers", "127.0.0.1:1"], {"NEWSALERT_CONNECT_TIMEOUT_S": "1"}, 1, "NEWSALERT_BROKERS"),
        (["check", "--brokers", "127.0.0.1:1"], {"NEWSALERT_CONNECT_TIMEOUT_S": "1"}, 1, ""),
        (["replay", "--list", "--all"], {}, 2, "one of"),
        (["replay", "--offset", "7"], {}, 2, "PARTITION:OFFSET"),
        (["promote", "no-such-version"], {}, 1, "newsalert models"),
    ],
)
def test_a_fault_is_one_sentence_with_what_to_do_and_no_traceback(
    arguments: list[str], environ: dict[str, str], status: int, told: str
) -> None:
    done = newsalert(*arguments, stdin=b"", **environ)

    assert done.returncode == status
    assert told in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_check_tells_line_by_line_what_is_fit_and_what_is_not() -> None:
    done = newsalert("check", "--brokers", "127.0.0.1:1", NEWSALERT_CONNECT_TIMEOUT_S="1")

    lines = done.stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "ok", "FAIL"]
    assert done.returncode == 1


def test_schema_prints_a_json_schema() -> None:
    assert json.loads(newsalert("schema", "alert").stdout)["$schema"].startswith("https://json-schema.org/")


def test_a_closed_pipe_is_no_fault(tiny: str) -> None:
    line = b'{"id": "1", "text": "An airlift."}\n'
    with subprocess.Popen(
        [str(Path(sys.executable).parent / "newsalert"), "classify", "--model", tiny, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(line * 5000)
            process.stdin.close()
        assert b"Traceback" not in process.stderr.read()


def test_the_demo_ends_by_itself_with_a_summary_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = newsalert("demo", "--exit", "--rate", "50", TMPDIR=str(tmp_path))

    said = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert "31 articles in, 30 verdicts" in said
    assert "1 refused and kept" in said
    assert "│ evacuation:" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_the_demo_ended_by_hand_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    command = [str(Path(sys.executable).parent / "newsalert"), "demo", "--rate", "50"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("NEWSALERT_")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=own | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    ) as demo:
        assert demo.stdout
        while b"Your turn" not in (line := demo.stdout.readline()):
            assert line, "the demo ended before its turn was over"
        children = _children(demo.pid)
        demo.send_signal(number)
        assert demo.wait(60) == 0

    assert len(children) == 2, "a broker and a worker"
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    assert list(tmp_path.iterdir()) == []


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def test_the_console_command_and_python_m_stream_are_the_same_program() -> None:
    one = newsalert("settings").stdout
    other = subprocess.run(
        [sys.executable, "-m", "stream", "settings"], cwd=ROOT, capture_output=True, check=True
    ).stdout

    assert one == other
