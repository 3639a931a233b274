"""Drawing: a matplotlib figure as SVG that stands in a page, takes the page's colours and needs nothing from elsewhere."""

import io
import re
import warnings
from collections.abc import Sequence
from typing import Any, Final
from xml.etree import ElementTree

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Stand-ins for the page's colours, put in their places by `inline`: so a plot follows light and dark mode.
INK: Final = "#010101"
MUTED: Final = "#020202"
LINE: Final = "#030303"
ACCENT: Final = "#040404"
ON_ACCENT: Final = "#050505"
VARIABLES: Final = {INK: "--ink", MUTED: "--muted", LINE: "--line", ACCENT: "--accent", ON_ACCENT: "--on-accent"}
FONT_SIZE: Final = re.compile(r"[\d.]+px")
NO_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))
STYLE: Final[dict[Any, Any]] = {
    "figure.dpi": 72,  # one unit of the drawing is one pixel of the page
    "svg.fonttype": "none",  # text stays text: in the page's font, to be found and read aloud
    "text.parse_math": False,  # a source may be called "$AP$"
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "text.color": INK,
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.solid_capstyle": "round",
}


def canvas(width: int, height: int, margins: tuple[int, int, int, int], **more: Any) -> tuple[Figure, Sequence[Axes]]:
    """A figure of `width` by `height` pixels and its plots, `margins` (left, right, top, bottom) pixels from its edges.

    `more` goes to matplotlib's `subplots`; it comes back as a flat list.
    """
    left, right, top, bottom = margins
    with rc_context(STYLE):
        figure = Figure(figsize=(width / 72, height / 72))
        plots = figure.subplots(squeeze=False, **more)
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
    return figure, list(plots.flat)


def inline(figure: Figure, name: str, told: str) -> str:
    """`figure` as an <svg> element. `name` keeps its ids apart from other figures'; `told` is what it shows, for who cannot see."""
    written = io.BytesIO()
    with rc_context(STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
        # Without a salt ids are random, and no page comes out the same again.
        # A sign that matplotlib's font lacks is not missing: the browser draws it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(written, format="svg", transparent=True, metadata=NO_METADATA)
    root = ElementTree.fromstring(written.getvalue())  # noqa: S314  (matplotlib wrote it a line above)
    for element in root.iter():
        _fit_in(element, name)
    width, height = (round(side * 72) for side in figure.get_size_inches())
    root.attrib = {
        "viewBox": f"0 0 {width} {height}",
        "style": f"--width: {width}px",
        "role": "img",
        "aria-label": told,
    }
    root.remove(root[0])  # a style sheet of matplotlib's: it would speak of the whole page
    return ElementTree.tostring(root, encoding="unicode")


def _fit_in(element: ElementTree.Element, name: str) -> None:
    """Plain SVG as HTML has it: no namespaces, ids under `name`, colours and font the page's."""
    element.tag = _bare(element.tag)
    given = {_bare(key): value for key, value in element.attrib.items()}
    if "id" in given:
        given["id"] = f"{name}-{given['id']}"
    if "href" in given:
        given["href"] = given["href"].replace("#", f"#{name}-")
    if "clip-path" in given:
        given["clip-path"] = given["clip-path"].replace("#", f"#{name}-")
    if "style" in given:
        given["style"] = "; ".join(part for part in map(_styled, given["style"].split("; ")) if part)
    if given.get("transform", "").startswith("rotate(-0 "):
        del given["transform"]
    element.attrib = given


def _styled(part: str) -> str:
    key, _, value = part.partition(": ")
    if key == "font":  # "bold 12px 'DejaVu Sans', ..."
        size = FONT_SIZE.search(value)
        return f"font-size: {size[0]}" if size else ""
    if key == "font-family":
        return ""
    return f"{key}: var({VARIABLES[value]})" if value in VARIABLES else part


def _bare(name: str) -> str:
    return name.rpartition("}")[2]
