"""The report is a page that can be mailed: it tells all figures, loads nothing, and carries no article."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from selectolax.lexbor import LexborHTMLParser

from stream.model import OperatingPoint
from stream.urgency import Urgency
from tests.fakes import tiny_model
from tests.test_model import write_tiny
from training.cli import evaluate_model
from training.dataset import Item
from training.evaluate import Judged, judge
from training.plots import short, wilson
from training.quality import quality
from training.report import below, kindness, page, verdict

ROOT = Path(__file__).parents[1]
CREATED = "2026-03-03T12:00:00Z"
KINDS = (
    ("The airlift went on all night.", ("evacuation",), Urgency.HIGH),
    ("Men were hunted by name.", ("reprisals",), Urgency.CRITICAL),
    ("The minister resigned.", ("governance",), Urgency.MEDIUM),
    ("The football season goes on.", (), Urgency.LOW),
    ("People left by boat.", ("evacuation",), Urgency.HIGH),
    ("A coup of fashion, said the critics.", (), Urgency.LOW),
    ("They shot the film of an airlift.", (), Urgency.LOW),
)


def generated(count: int = 90) -> list[Item]:
    """Items of all kinds in turn; every text has a word that no other page has."""
    return [
        Item(
            f"id-{n}",
            f"Headline qzx{n}qzx\n{KINDS[n % len(KINDS)][0]} Kenya, said wvu{n}wvu. ",
            KINDS[n % len(KINDS)][1],
            KINDS[n % len(KINDS)][2],
            f"202{n % 7}-01-01" if n % 5 else None,
            f"Agency {n % 13}" if n % 4 else None,
        )
        for n in range(count)
    ]


def report_of(judged: Judged, of: str = "mine.jsonl") -> str:
    return page(judged, quality(judged, 10), of, CREATED)


def words_in(tree: LexborHTMLParser, selector: str) -> str:
    """The text of the one part of a page that `selector` names."""
    (found,) = tree.css(selector)
    return found.text()


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judge(tiny_model(), generated())


@pytest.fixture(scope="module")
def report(judged: Judged) -> str:
    return report_of(judged)


def numbers(value: Any) -> Iterator[float]:
    """Every number in a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, (int, float)):
        yield value


def test_the_report_carries_no_text_of_an_article(judged: Judged, report: str) -> None:
    for item in judged.items:
        for word in re.findall(r"qzx\d+qzx|wvu\d+wvu", item.text):
            assert word not in report
    for text, _, _ in KINDS:
        assert text[:12] not in report


def test_every_figure_of_the_json_stands_in_the_report(judged: Judged) -> None:
    found = quality(judged, 10)
    cells = {
        cell.text()
        for cell in LexborHTMLParser(page(judged, found, "mine.jsonl", CREATED)).css("details td:not(.words), caption")
    }
    told = set(re.findall(r"-?[\d,]+(?:\.\d+)?", " ".join(cells)))

    for number in numbers(json.loads(msgspec.json.encode(found))):
        assert (f"{number:,}" if isinstance(number, int) else f"{number:.3f}") in told, number


def test_what_the_report_loads_is_in_the_file(report: str) -> None:
    tree = LexborHTMLParser(report)

    assert tree.css("script, link, img, iframe, object, embed, image, base, form") == []
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            assert "//" not in (value or ""), (node.tag, name, value)
            assert not name.startswith("on")
            if name in {"href", "xlink:href", "src", "srcset", "action"}:
                assert str(value).startswith("#"), (node.tag, name, value)
    assert not re.search(r"@import|url\((?!#)", report)
    assert '<meta http-equiv="Content-Security-Policy" content="default-src \'none\';' in report


def test_every_reference_in_the_report_finds_one_id(report: str) -> None:
    """Plots stand side by side in one page: an id of one may not be that of another."""
    ids = [node.attributes["id"] for node in LexborHTMLParser(report).css("[id]")]

    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', report)) <= set(ids)


def test_plots_take_the_colours_of_the_page_in_light_and_in_dark(report: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", report, flags=re.DOTALL))

    assert "prefers-color-scheme: dark" in report
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)
    for name in re.findall(r"var\((--[a-z-]+)\)", drawn):
        assert report.count(f"{name}: #") == 2, f"{name} in light and in dark"


def test_whatever_people_name_a_thing_the_page_stays_a_page(judged: Judged) -> None:
    """Markup, formulas and unprintable signs in ids, sources, versions, sentences and file names are text, and nothing else."""
    odd = '<script>\x00\x1b"$x_{$")</script> --> 中文 &amp;'
    card = msgspec.structs.replace(
        judged.card,
        version=odd,
        thresholds={name: OperatingPoint(0.5, odd) for name in judged.card.thresholds},
    )
    items = tuple(replace(item, id=f"{odd}{n}", source=odd) for n, item in enumerate(judged.items))

    tree = LexborHTMLParser(report_of(replace(judged, card=card, items=items), of=odd))

    assert tree.css("script") == []
    assert odd.replace("\x00\x1b", "  ") in words_in(tree, "title")
    assert odd.replace("\x00\x1b", "  ")[:20] in " ".join(text.text() for text in tree.css("svg text"))
    assert odd.replace("\x00\x1b", "  ") in [cell.text() for cell in tree.css("td")]
    assert words_in(tree, "h1") == words_in(LexborHTMLParser(report_of(judged)), "h1")


def test_the_same_figures_give_the_same_page_to_the_byte(judged: Judged, report: str) -> None:
    assert report_of(judged) == report


def test_the_verdict_is_what_a_duty_officer_asks(judged: Judged) -> None:
    found = quality(judged, 10)

    told = verdict(found, alerts=60)

    precision, recall = found["alert"]["precision"], found["alert"]["recall"]
    assert re.fullmatch(
        rf"Of 100 alerts, {100 * precision:.0f} \(\d+ to \d+\) are right; "
        rf"of 100 articles that deserve one, {100 * recall:.0f} \(\d+ to \d+\) get it\.",
        told,
    )


def test_alerts_are_counted_as_they_are() -> None:
    tree = LexborHTMLParser(report_of(judge(tiny_model(), generated(7))))
    words = {text.text() for text in tree.css("svg text")}

    assert {"5 alerts raised", "3 right", "2 false", "4 articles deserve one", "3 found", "1 missed"} <= words


@pytest.mark.parametrize(
    "items",
    [
        generated(1),
        [Item("quiet", "The football season goes on.", (), Urgency.LOW)],
        [Item("missed", "People left by boat.", ("evacuation",), Urgency.CRITICAL)] * 30,
        [Item("false", "The airlift of shirts went on.", (), Urgency.LOW)] * 30,
    ],
    ids=["one item", "nothing to find", "nothing found", "nothing right"],
)
def test_few_or_one_sided_items_make_a_page_all_the_same(items: list[Item]) -> None:
    tree = LexborHTMLParser(report_of(judge(tiny_model(), items)))

    assert words_in(tree, "h1").endswith(".")
    assert len(tree.css("svg")) == 1 + 1 + 3 + 2 + 7 + len({"length", "source", "year", "region"})
    assert "nan" not in words_in(tree, "body").lower().split()


def test_the_report_says_where_figures_are_kinder_than_life(judged: Judged) -> None:
    chosen = {name: OperatingPoint(0.5, "maximum f1, on 90 items set apart") for name in judged.card.thresholds}
    card = msgspec.structs.replace(judged.card, thresholds=chosen)

    assert kindness(judged.card, 90) == ""
    assert "may well be the same" in kindness(card, 90)
    assert "may well be the same" not in kindness(card, 91)
    assert "kinder" in kindness(card, 91)
    assert "may well be the same" in report_of(replace(judged, card=card))


def test_the_report_names_model_thresholds_and_the_sentence_that_chose_them(report: str) -> None:
    words = words_in(LexborHTMLParser(report), "main")

    for name in ("evacuation", "reprisals", "governance", "medium", "high", "critical"):
        assert re.search(rf"{name}\s*0\.500\s*by hand", words)
    assert "tiny 1, made 2026-03-01" in words


def test_a_slice_that_is_clearly_worse_is_named_at_the_top() -> None:
    good = [replace(item, id=f"g{n}", source="Wire") for n, item in enumerate(generated(6)[:4] * 20)]
    bad = [replace(item, id=f"b{n}", source="Desk") for n, item in enumerate(generated(6)[2:] * 10)]
    judged = judge(tiny_model(), good + bad)

    told = below(quality(judged, 100))

    assert any(name.startswith("Desk (alert F1") for name in told)
    assert not any(name.startswith("Wire") for name in told)
    assert "Clearly below the whole: " in report_of(judged)


@pytest.mark.parametrize(
    ("share", "items", "low", "high"), [(0.5, 10, 0.2366, 0.7634), (0.0, 10, 0.0, 0.2775), (1.0, 1, 0.2065, 1.0)]
)
def test_the_whiskers_of_a_share_are_wilson_s(share: float, items: int, low: float, high: float) -> None:
    assert wilson(share, items) == pytest.approx((low, high), abs=1e-4)


def test_a_count_keeps_to_the_width_of_its_bar() -> None:
    assert [short(count) for count in (0, 999, 1000, 9949, 9950, 14329, 999_499)] == [
        "0",
        "999",
        "1.0k",
        "9.9k",
        "10k",
        "14k",
        "999k",
    ]


# --- the command -----------------------------------------------------------------------------------------------------


def evaluated(tmp_path: Path, *arguments: str, lines: list[dict[str, Any]] | None = None) -> Result:
    """`newsalert evaluate` of the tiny model on `lines`."""
    file = tmp_path / "mine.jsonl"
    given = lines if lines is not None else [{"text": kind[0], "topics": kind[1], "urgency": kind[2]} for kind in KINDS]
    file.write_text("\n".join(json.dumps(line) for line in given))
    model = str(tmp_path / "tiny" if (tmp_path / "tiny").exists() else write_tiny(tmp_path / "tiny"))
    return CliRunner().invoke(evaluate_model, [str(file), "--model", model, *arguments], env={"COLUMNS": "200"})


def test_evaluate_writes_the_report_beside_its_usual_words(tmp_path: Path) -> None:
    out = tmp_path / "report.html"

    plain, reported = evaluated(tmp_path), evaluated(tmp_path, "--report", str(out))

    assert (plain.exit_code, reported.exit_code) == (0, 0)
    assert reported.stdout == plain.stdout
    assert "macro F1" in plain.stdout
    assert out.read_text().startswith("<!doctype html>")


def test_json_has_slices_reliability_and_misses(tmp_path: Path) -> None:
    found = json.loads(evaluated(tmp_path, "--json").stdout)

    assert {part["by"] for part in found["slices"]} == {"length", "source", "year", "region"}
    assert found["slices"][0]["macro_f1"] is None
    assert found["reliability"]["all topics"]["bins"][0]["items"] > 0
    assert found["misses"]["missed evacuation"][0]["urgency"] == "high"
    assert found["brier"] == pytest.approx(sum(row["brier"] for row in found["topics"].values()) / 3)


@pytest.mark.parametrize(
    ("arguments", "lines", "told"),
    [
        (["--report", "no/such/folder/report.html"], None, "folder does not exist"),
        ([], [], "no item to measure on"),
    ],
)
def test_what_cannot_be_measured_or_written_is_told_in_a_sentence(
    tmp_path: Path, arguments: list[str], lines: list[dict[str, Any]] | None, told: str
) -> None:
    done = evaluated(tmp_path, *arguments, lines=lines)

    assert done.exit_code == 1
    assert told in done.stderr
    assert done.stdout == ""


def test_make_quality_says_what_is_missing_before_it_installs_anything(tmp_path: Path) -> None:
    command = ["make", "quality", f"VENV={tmp_path}/venv", f"LABELS={tmp_path}/dev.jsonl", f"NEWS={tmp_path}/news"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert f"needs labelled items in {tmp_path}/dev.jsonl and their texts in {tmp_path}/news" in done.stderr
    assert not (tmp_path / "venv").exists()
