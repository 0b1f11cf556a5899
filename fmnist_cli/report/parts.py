"""Parts of the page as HTML, charts as data for Plotly, and how numbers are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Pixels
from fmnist_cli.html.contact_sheet import data_uri
from fmnist_cli.html.page import SPACE, part

if TYPE_CHECKING:
    from markupsafe import Markup

# Colours are names that report.js looks up in the style sheet, so that they follow light and
# dark; symbols and dashes tell the same apart without colour.
COLOURS = tuple(f"$c{number}" for number in range(10))
SYMBOLS = (
    "circle", "square", "diamond", "triangle-up", "x",
    "triangle-down", "star", "pentagon", "cross", "hexagram",
)  # fmt: skip
ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}  # a legend
COLUMNS = 40  # of a sheet of pictures


def made(macro: str, **values: Any) -> Markup:
    """What a macro of ``report_parts.html`` makes of `values`."""
    return part("report_parts.html", macro, **values)


def words(text: str, kind: str = "words") -> Markup:
    """A paragraph."""
    return made("paragraph", text=text, kind=kind)


def columns(*parts: Markup, kind: str = "") -> Markup:
    """Parts side by side where there is room."""
    return made("columns", parts=parts, kind=kind)


def table(
    name: str, header: Sequence[str], rows: Iterable[Sequence[str]], text: Sequence[int] = (0,)
) -> Markup:
    """A table that scrolls sideways where it is too wide.

    Args:
        name: what it is, for those who do not see it.
        header: column titles.
        rows: of cells; the first cell heads its row.
        text: columns of words, which are aligned left.
    """
    return part("parts.html", "table", name=name, header=header, rows=rows, words=text)


def chart(
    name: str,
    title: str,
    summary: str,
    traces: Sequence[Mapping[str, Any]],
    layout: Mapping[str, Any],
    numbers: Markup,
    *,
    height: int = 360,
    narrow: Mapping[str, Any] | None = None,
) -> Markup:
    """A figure that Plotly draws when it comes into view.

    Args:
        name: unique on the page.
        title: heading, with the quantity and its unit.
        summary: what it shows and finds, for those who do not see it.
        traces: of Plotly.
        layout: of Plotly; colours such as ``"$ink"`` are those of the style sheet.
        numbers: the same as a table.
        height: in pixels.
        narrow: what differs in the layout on a phone.
    """
    spec = data(f"spec-{name}", {"data": traces, "layout": layout, "narrow": narrow or {}})
    return made(
        "chart", name=name, title=title, summary=summary, spec=spec, numbers=numbers, height=height
    )


def data(name: str, value: Any) -> Markup:
    """Data for the page's script; no text in it ends the element."""
    from markupsafe import Markup

    content = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return made("data", name=name, content=Markup(content))  # noqa: S704


def points(
    name: str,
    at: int,
    x: Sequence[float],
    y: Sequence[float],
    form: str,
    *,
    size: float = 8,
    **more: Any,
) -> dict[str, Any]:
    """A trace of marks, told apart by colour and symbol; `form` is what pointing at one tells."""
    color, symbol = COLOURS[at % len(COLOURS)], SYMBOLS[at % len(SYMBOLS)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "hovertemplate": f"{form}<extra>{name}</extra>",
        "marker": {
            "color": color,
            "symbol": symbol,
            "size": size,
            "line": {"width": 0.5, "color": "$paper"},
        },
        **more,
    }


def bars(name: str, at: int, shape: str, values: Mapping[str, float], form: str) -> dict[str, Any]:
    """A trace of bars that lie, told apart by colour and hatching."""
    pattern = {"shape": shape, "solidity": 0.25, "fgcolor": "$paper", "bgcolor": COLOURS[at]}
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": list(values),
        "x": list(values.values()),
        "marker": {"color": COLOURS[at], "pattern": pattern},
        "hovertemplate": f"{form}<extra>{name}</extra>",
    }


def sheet(pixels: Pixels, columns: int = COLUMNS) -> npt.NDArray[np.uint8]:
    """Images uint8 [N, H, W] row by row in one picture, `columns` in a row."""
    count, height, width = pixels.shape
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, height, width), np.uint8)
    tiles[:count] = pixels
    grid = tiles.reshape(rows, columns, height, width).transpose(0, 2, 1, 3)
    return grid.reshape(rows * height, columns * width)


def hidden_sheet(name: str, pixels: Pixels) -> Markup:
    """A sheet from which report.js cuts single pictures."""
    return made("hidden_sheet", name=name, source=data_uri(sheet(pixels), "png"))


def percent(share: float, digits: int = 2) -> str:
    """0.9487 → 94.87 %."""
    return f"{100 * share:.{digits}f}{SPACE}%"


def figure(value: float) -> str:
    """About three digits: 2.2e-04, 0.012, 1.23, 12.3, 1,234."""
    if 0 < value < 0.001:
        return f"{value:.1e}"
    digits = 3 if value < 0.1 else sum(value < limit for limit in (1, 10, 100))
    return f"{value:,.{digits}f}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 90:
        return f"{figure(seconds)}{SPACE}s"
    minutes = seconds / 60
    return f"{minutes:.1f}{SPACE}min" if minutes < 90 else f"{minutes / 60:.1f}{SPACE}h"


def megabytes(size: float) -> str:
    """Bytes as MB."""
    return f"{figure(size / 1e6)}{SPACE}MB"
