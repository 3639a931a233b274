"""Plots: what an evaluation found, each as one <svg> for a page. Every plot is drawn for the width of a phone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from stream.features import Floats
from stream.urgency import LEVELS
from training.drawing import ACCENT, INK, LINE, MUTED, ON_ACCENT, STYLE, canvas, inline
from training.quality import Reliability
from training.slices import FEWEST, FIGURES, Estimate, Slice
from training.tables import printable

WIDE: Final = 360  # pixels
SMALL: Final = 11  # size of letters that are not the point
QUARTERS: Final = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True, slots=True)
class Curve:
    """A topic's precision over recall as the threshold falls, the point that was chosen, and the `share` of true items."""

    precision: Floats
    recall: Floats
    average_precision: float
    threshold: float
    chosen: tuple[float, float]  # precision, recall
    share: float


@rc_context(STYLE)
def forest(name: str, rows: Sequence[tuple[str, Estimate]]) -> str:
    """Figures 0..1, a row each: its name, interval and value above, a dot with whiskers below."""
    figure, (plot,) = canvas(WIDE, 38 * len(rows) + 34, (0, 0, 4, 26))
    _unit_axis(plot, QUARTERS, len(rows))
    for y, (label, one) in enumerate(rows):
        _whiskers(plot, y, one)
        plot.text(0, y - 0.2, label, va="bottom")
        plot.text(1, y - 0.2, f"{one.value:.2f}", va="bottom", ha="right", weight="bold")
        plot.text(0.89, y - 0.2, f"{one.low:.2f} to {one.high:.2f}", va="bottom", ha="right", color=MUTED, size=SMALL)
    told = "; ".join(f"{label} {one.value:.2f}, {one.low:.2f} to {one.high:.2f}" for label, one in rows)
    return inline(figure, name, told)


@rc_context(STYLE)
def outcomes(name: str, right: int, false: int, missed: int) -> str:
    """Two bars with one left part: alerts raised (right, false), and articles that deserve one (found, missed)."""
    figure, (plot,) = canvas(WIDE, 156, (0, 0, 0, 0))
    plot.set_axis_off()
    plot.set(xlim=(0, max(right + false, right + missed, 1)), ylim=(1.52, -0.5))
    rows = (("alerts raised", "right", false, "false"), ("articles deserve one", "found", missed, "missed"))
    for y, (label, well, bad, ill) in enumerate(rows):
        plot.barh(y, right, height=0.36, color=ACCENT)
        plot.barh(y, bad, left=right, height=0.36, color=LINE)
        plot.text(0, y - 0.22, f"{right + bad:,} {label}", va="bottom")
        plot.text(0, y + 0.23, f"{right:,} {well}", va="top", color=ACCENT, weight="bold", size=SMALL)
        plot.text(right + bad, y + 0.23, f"{bad:,} {ill}", va="top", ha="right", color=MUTED, size=SMALL)
    return inline(figure, name, f"{right} alerts right, {false} false; {missed} articles that deserve an alert missed")


@rc_context(STYLE)
def precision_recall(name: str, topic: str, curve: Curve) -> str:
    """Precision over recall, the chosen threshold as a dot, and what chance would give as a dotted line."""
    figure, (plot,) = canvas(300, 290, (38, 12, 30, 40))
    _square(plot, f"{topic}: average precision {curve.average_precision:.2f}", "recall", "precision")
    plot.axhline(curve.share, color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
    plot.text(1, curve.share + 0.015, "chance", ha="right", color=MUTED, size=SMALL)
    if len(curve.recall):
        recall, precision = np.append(0.0, curve.recall), np.append(curve.precision[0], curve.precision)
        plot.step(recall, precision, where="pre", color=INK, linewidth=1.5)
    precision_there, recall_there = curve.chosen
    plot.plot([recall_there], [precision_there], "o", color=ACCENT, markersize=9, clip_on=False, zorder=5)
    words = f"threshold {curve.threshold:.2f}\nprecision {precision_there:.2f}\nrecall {recall_there:.2f}"
    plot.text(0.04, max(0.26, curve.share + 0.08), words, va="bottom", color=ACCENT, linespacing=1.4)
    return inline(figure, name, f"{topic}: average precision {curve.average_precision:.2f}; {words}")


@rc_context(STYLE)
def reliability(name: str, of: str, found: Reliability) -> str:
    """The share of true items over the probability said, each bin with its 95 % interval (Wilson, 1927), and its items below."""
    figure, (plot, sizes) = canvas(
        270, 330, (38, 10, 46, 36), nrows=2, gridspec_kw={"height_ratios": (4, 1), "hspace": 0.12}, sharex=True
    )
    _square(plot, "", "", "share that is true")
    plot.set_title(of, pad=22)
    plot.text(
        0,
        1.03,
        f"calibration error {found.calibration_error:.3f}, Brier {found.brier:.3f}",
        va="bottom",
        color=MUTED,
        size=SMALL,
    )
    plot.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
    for one in found.bins:
        low, high = wilson(one.true, one.items)
        plot.plot([one.said] * 2, [low, high], color=ACCENT, linewidth=1.5, alpha=0.5, clip_on=False)
        plot.plot([one.said], [one.true], "o", color=ACCENT, markersize=6, clip_on=False)
    for one in found.bins:
        middle = (one.low + one.high) / 2
        sizes.bar(middle, one.items, width=0.08, color=LINE)
        sizes.text(middle, one.items, f" {short(one.items)}", ha="center", va="bottom", color=MUTED, size=9)
    sizes.set(ylim=(0, 1.45 * max((one.items for one in found.bins), default=1)), yticks=(), xlabel="probability said")
    sizes.spines["left"].set_visible(False)
    points = "; ".join(f"said {one.said:.2f}, true {one.true:.2f} of {one.items}" for one in found.bins)
    return inline(figure, name, f"{of}, calibration error {found.calibration_error:.3f}: {points}")


@rc_context(STYLE)
def heat_map(name: str, title: str, confusion: Sequence[Sequence[int]], kappa: float) -> str:
    """Urgency by the readers (rows) and by the model (columns): items, shaded by their share of the row."""
    figure, (plot,) = canvas(300, 310, (62, 6, 54, 26))
    plot.set_title(f"{title}\nquadratic kappa {kappa:.2f}", linespacing=1.4, loc="left")
    plot.set(xlim=(-0.5, 3.5), ylim=(3.5, -0.5), xticks=range(4), yticks=range(4))
    plot.set(xticklabels=[level.value for level in LEVELS], yticklabels=[level.value for level in LEVELS])
    plot.spines[:].set_visible(False)
    for true, row in enumerate(confusion):
        for said, items in enumerate(row):
            _cell(plot, said, true, items, items / max(sum(row), 1))
    rows = "; ".join(f"{level} told as {row}" for level, row in zip(LEVELS, confusion, strict=True))
    return inline(figure, name, f"{title}, quadratic kappa {kappa:.2f}: {rows}")


@rc_context(STYLE)
def dots(name: str, title: str, parts: Sequence[Slice], whole: dict[str, float]) -> str:
    """Slices, a row each, with their figures side by side: dots with whiskers, and a line where the `whole` is."""
    figure, plots = canvas(WIDE, 40 * len(parts) + 44, (0, 0, 24, 20), ncols=3, gridspec_kw={"wspace": 0.16})
    for plot, (field, label) in zip(plots, FIGURES.items(), strict=True):
        _unit_axis(plot, (0, 0.5, 1), len(parts))
        plot.set_title(label.replace("average precision", "av. precision"), size=SMALL, color=MUTED)
        for y, part in enumerate(parts):
            if (one := getattr(part, field)) is not None:
                plot.plot([whole[field]] * 2, [y - 0.13, y + 0.16], color=INK, linewidth=1)
                _whiskers(plot, y, one)
    for y, part in enumerate(parts):
        enough = part.items >= FEWEST
        alerts = f"{part.items:,} {'item' if part.items == 1 else 'items'}, {part.positives['alert']:,} to alert"
        plots[0].text(0, y - 0.2, shortened(part.name), va="bottom", color=INK if enough else MUTED)
        size = alerts if enough else f"{alerts}: too few"
        plots[-1].text(1, y - 0.2, size, va="bottom", ha="right", color=MUTED, size=SMALL)
    return inline(figure, name, f"{title}: {'; '.join(map(_told, parts))}")


def wilson(share: float, items: int) -> tuple[float, float]:
    """The 95 % interval of a share of `items` (Wilson, 1927)."""
    z = 1.96
    middle = share + z * z / (2 * items)
    half = z * math.sqrt(share * (1 - share) / items + z * z / (4 * items * items))
    return (middle - half) / (1 + z * z / items), (middle + half) / (1 + z * z / items)


def short(count: int) -> str:
    """A count in at most four signs, as far as there are that few: 940, 1.2k, 14k."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:.0f}k"


def shortened(name: str, most: int = 28) -> str:
    """A name that leaves room for what stands beside it."""
    name = printable(name)
    return name if len(name) <= most else name[: most - 1] + "…"


def _unit_axis(plot: Axes, ticks: Sequence[float], rows: int) -> None:
    """An axis 0..1 with room above each of `rows` rows for words."""
    plot.set(xlim=(0, 1), ylim=(rows - 0.6, -0.8), xticks=ticks, xticklabels=[f"{tick:g}" for tick in ticks], yticks=())
    plot.get_xticklabels()[0].set_horizontalalignment("left")
    plot.get_xticklabels()[-1].set_horizontalalignment("right")
    plot.spines[:].set_visible(False)
    for y in range(rows):
        plot.axhline(y, color=LINE, linewidth=1, zorder=0)


def _whiskers(plot: Axes, y: float, one: Estimate) -> None:
    plot.plot([one.low, one.high], [y, y], color=ACCENT, linewidth=3, alpha=0.45, clip_on=False)
    plot.plot([one.value], [y], "o", color=ACCENT, markersize=8, clip_on=False)


def _square(plot: Axes, title: str, across: str, up: str) -> None:
    """An axis 0..1 both ways."""
    plot.set(xlim=(0, 1), ylim=(0, 1), xticks=QUARTERS, yticks=QUARTERS, xlabel=across, ylabel=up)
    plot.set_xticklabels([f"{tick:g}" for tick in QUARTERS])
    plot.set_yticklabels([f"{tick:g}" for tick in QUARTERS])
    plot.set_title(title)
    plot.grid(linewidth=1)
    plot.set_axisbelow(True)
    plot.spines[:].set_visible(False)


def _cell(plot: Axes, across: int, down: int, items: int, share: float) -> None:
    shade = 0.05 + 0.95 * share if items else 0.0
    edge = INK if across == down else LINE
    corner = (across - 0.46, down - 0.46)
    plot.add_patch(Rectangle(corner, 0.92, 0.92, facecolor=ACCENT, edgecolor="none", alpha=shade))
    plot.add_patch(Rectangle(corner, 0.92, 0.92, facecolor="none", edgecolor=edge, linewidth=1))
    words = ON_ACCENT if shade > 0.72 else INK if items else MUTED
    plot.text(across, down, f"{items:,}", ha="center", va="center", color=words)


def _told(part: Slice) -> str:
    found = {label: getattr(part, field) for field, label in FIGURES.items()}
    words = [f"{label} {one.value:.2f}" for label, one in found.items() if one is not None]
    return ", ".join([f"{printable(part.name)} {part.items} items", *words])
