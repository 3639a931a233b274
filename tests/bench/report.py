"""The results as a page and a picture: python -m tests.bench.report [--take]

Renders tests/bench/README.md (between its marks) and results.svg from results.json; with --take, the parts measured last, in
build/bench/, go into results.json first.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.bench.measures import Figure, Promise, Result, kept

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parents[1] / "build" / "bench"
RESULTS, PAGE, PICTURE = HERE / "results.json", HERE / "README.md", HERE / "results.svg"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
BLUE, GREY, RED = "#2a6f97", "#8d99ae", "#c1121f"


def kept_results(path: Path = RESULTS) -> list[Result]:
    """The results in a file, none where there is no file."""
    return msgspec.json.decode(path.read_bytes(), type=list[Result]) if path.exists() else []


def merged(old: Iterable[Result], new: Iterable[Result]) -> list[Result]:
    """The newer of each part, by the part's name."""
    return sorted(({one.part: one for one in old} | {one.part: one for one in new}).values(), key=lambda one: one.part)


def markdown(results: Sequence[Result]) -> str:
    """The tables of all parts, the promises first."""
    if not results:
        return "Nothing was measured yet: `make bench`, then `python -m tests.bench.report --take`."
    promises = [
        f"| {result.part} | {one.name} | {_value(one)} | {_bound(one, one.needed)} | {_bound(one, one.aim)} | {kept(one)} |"
        for result in results
        for one in result.promises
    ]
    head = ["| part | ratio or promise | measured | needed | aim | |", "|---|---|---|---|---|---|", *promises]
    return "\n".join([*head, "", *(line for result in results for line in _section(result))]).strip()


def _section(result: Result) -> list[str]:
    rows = [f"| {one.name} | {_number(one.value)} {one.unit} | {one.note} |" for one in result.figures]
    about = "; ".join(f"{name} {text}" for name, text in (result.setup | result.machine).items())
    missing = [f"**Not measured:** {text.splitlines()[0]}" for text in result.missing]
    return [f"### {result.title}", "", f"{about}.", "", *missing, "| figure | value | |", "|---|---|---|", *rows, ""]


def _value(promise: Promise) -> str:
    return f"{_number(promise.value)} {promise.unit}"


def _bound(promise: Promise, bound: float | None) -> str:
    return "" if bound is None else f"{'≥' if promise.least else '≤'} {bound:g} {promise.unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def page(text: str, results: Sequence[Result]) -> str:
    """The page `text` with its results renewed."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{markdown(results)}\n{END}{rest.partition(END)[2]}"


def bars(results: Sequence[Result]) -> list[Figure]:
    """CPU of an article, of each program that was measured, the cheapest first; a program of two parts once."""
    found = {
        one.name.partition(":")[0]: one
        for result in results
        for one in result.figures
        if one.name.endswith(": CPU an article") and one.unit == "µs"
    }
    return sorted(found.values(), key=lambda one: one.value)


def draw(results: Sequence[Result], path: Path) -> None:
    """A picture of CPU an article by program, and of latency by rate; the same file for the same results."""
    import matplotlib as mpl  # noqa: PLC0415  (slow to import)

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "newsalert", "font.size": 9}
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained", width_ratios=(3, 2))
    _draw_cpu(left, bars(results))
    _draw_latency(right, results)
    figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def _draw_cpu(axes: Any, found: Sequence[Figure]) -> None:
    names = [one.name.partition(":")[0] for one in found]
    drawn = axes.barh(
        names, [one.value for one in found], color=[BLUE if "newsalert" in name else GREY for name in names]
    )
    axes.bar_label(drawn, [f"{one.value:,.0f}" for one in found], padding=3)
    axes.set(title="CPU an article, µs")
    axes.margins(x=0.12)
    axes.invert_yaxis()


def _draw_latency(axes: Any, results: Sequence[Result]) -> None:
    figures = [
        one for result in results if result.part == "latency" for one in result.figures if ", stage" not in one.name
    ]
    found = [one for one in figures if one.name.startswith("newsalert run, ")]
    names = [one.name.removeprefix("newsalert run, ") for one in found]
    drawn = axes.barh(names, [one.value for one in found], color=BLUE)
    axes.bar_label(drawn, [_number(one.value) for one in found], padding=3)
    for promise in (one for result in results if result.part == "latency" for one in result.promises if one.needed):
        axes.axvline(promise.needed, color=RED, linewidth=1)
        axes.annotate(
            f" {promise.name}: needed {promise.needed:g}",
            (promise.needed, 1),
            xycoords=("data", "axes fraction"),
            color=RED,
            va="top",
        )
    axes.set(title="Produce to alert seen, ms")
    axes.margins(x=0.2)
    axes.invert_yaxis()


def main(take: bool) -> None:
    """Renews the committed results where told to, then page and picture."""
    if take:
        fresh = [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(BUILD.glob("*.json"))]
        found = merged(kept_results(), fresh)
        RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    results = kept_results()
    PAGE.write_text(page(PAGE.read_text(), results))
    draw(results, PICTURE)


if __name__ == "__main__":
    main("--take" in sys.argv[1:])
