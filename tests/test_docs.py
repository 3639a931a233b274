"""The README cannot rot: its commands, settings, metrics, reasons and figures are those of the code."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from stream.article import Reason
from stream.home import SHIPPED
from stream.metrics import Metrics
from stream.model import load_model
from stream.settings import settings_table
from tests.fakes import tiny_model
from training.cli import COMMANDS
from training.curve import load_rows, markdown

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def section(name: str) -> str:
    """What stands between the marks of a generated part."""
    whole = GENERATED[name][0].read_text()
    return whole.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0].strip()


def settings_markdown() -> str:
    """The settings table as the README shows it."""
    rows = [
        f"| `{name}` | {f'`{default}`' if default else ''} | {about} |" for name, default, about in settings_table()
    ]
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows])


def model_markdown() -> str:
    """The champion's figures as the README shows them, from its card."""
    card = load_model(SHIPPED).card
    found = card.metrics["set_apart"]
    figures = {
        "macro F1 of topics": found["macro_f1"],
        "mean average precision": found["mean_average_precision"],
        "alert precision": found["alert"]["precision"],
        "alert recall": found["alert"]["recall"],
        "urgency kappa, items with a topic": found["urgency"]["kappa"],
        "calibration error of topics": found["calibration_error"],
    } | {f"F1 of {name}": row["f1"] for name, row in found["topics"].items()}
    rows = [f"| {name} | {value:.2f} | {_interval(found['intervals'], name)} |" for name, value in figures.items()]
    title = (
        f"The shipped model, `{card.version}`, on {found['items']} real items by careful readers "
        "(`newsalert evaluate`; its thresholds were chosen on them):"
    )
    return "\n".join([title, "", "| figure | value | 95 % interval |", "|---|---|---|", *rows])


def _interval(intervals: dict[str, list[float]], name: str) -> str:
    return "{:.2f} to {:.2f}".format(*intervals[name]) if name in intervals else ""


GENERATED: dict[str, tuple[Path, Callable[[], str]]] = {
    "settings": (ROOT / "README.md", settings_markdown),
    "model": (ROOT / "README.md", model_markdown),
    "curve": (ROOT / "training/labels/README.md", lambda: markdown(load_rows())),
}


@pytest.mark.parametrize("name", GENERATED)
def test_what_is_generated_in_the_docs_is_what_the_code_says_now(name: str) -> None:
    assert section(name) == GENERATED[name][1](), "renew with: python -m tests.renew"


def test_every_command_in_the_readme_exists_with_its_options() -> None:
    commands = {str(command.name): command for command in COMMANDS}
    for line in re.findall(r"^(?:.*\| )?newsalert ([^#\n|]+)", README, flags=re.MULTILINE):
        name, *words = line.split()
        assert name in commands, line
        known = {
            option for parameter in commands[name].params for option in (*parameter.opts, *parameter.secondary_opts)
        }
        assert {word for word in words if word.startswith("--")} <= known, line


def test_every_command_is_in_the_readme() -> None:
    assert [
        name
        for name in (str(command.name) for command in COMMANDS)
        if not re.search(rf"newsalert {name}|`{name}`", README)
    ] == []


def test_every_command_says_in_a_sentence_what_it_does() -> None:
    for command in COMMANDS:
        assert isinstance(command, click.Command)
        assert command.help
        assert command.help[0].isupper()


def test_the_metrics_in_the_readme_are_those_of_the_code() -> None:
    told = set(re.findall(r"`(newsalert_[a-z_]+)", README))
    made = set()
    for family in Metrics(tiny_model().card).registry.collect():
        made.add(family.name + ("_total" if family.type == "counter" else ""))

    assert told == made


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_for_a_refusal_is_in_the_readme(reason: Reason) -> None:
    assert f"`{reason}`" in README


def test_every_setting_that_the_readme_names_exists() -> None:
    known = {name for name, _, _ in settings_table()}

    told = set(re.findall(r"NEWSALERT_[A-Z_]+", README))

    assert {name for name in told if name not in known and name.removesuffix("_FILE") not in known} == set()


@pytest.mark.parametrize("target", ["demo", "test", "check", "quality"])
def test_the_make_targets_of_the_readme_exist(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE)


def test_no_path_of_a_machine_and_no_registry_stands_in_the_docs() -> None:
    for file in [ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("deploy/*"), *ROOT.glob("training/**/*.md")]:
        if file.is_file():
            assert not re.search(r"/(?:root|home|work)/|pypi\.org|index-url", file.read_text()), file


def test_the_card_of_the_shipped_model_is_readable_json() -> None:
    assert json.loads((SHIPPED / "card.json").read_text())["name"] == "newsalert"
