"""Pieces of the page: sections, charts, tables, numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from fmnist_cli.rows import printable

SPACE = "\N{NO-BREAK SPACE}"
# Colours are names that page.js looks up in the style sheet, so that they follow light and dark;
# symbols and dashes tell the same apart without colour.
COLOURS = tuple(f"$c{number}" for number in range(10))
SYMBOLS = (
    "circle", "square", "diamond", "triangle-up", "x",
    "triangle-down", "star", "pentagon", "cross", "hexagram",
)  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def text(value: str) -> str:
    """Any words as HTML text or attribute: nothing in them is markup, nothing is invisible."""
    return escape(SPACE.join(map(printable, value.split(SPACE))), quote=True)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        name: its anchor.
        title: its heading.
        body: HTML.
        notices: what is stale or missing, as plain text.
    """

    name: str
    title: str
    body: str
    notices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure that Plotly draws.

    Attributes:
        name: unique on the page.
        title: heading, with the quantity and its unit.
        summary: what it shows and finds, for those who do not see it.
        traces: of Plotly.
        layout: of Plotly; colours such as ``"$ink"`` are those of the style sheet.
        table: the same in numbers, as HTML.
        height: in pixels.
        narrow: what differs in the layout on a phone.
    """

    name: str
    title: str
    summary: str
    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    table: str
    height: int = 360
    narrow: Mapping[str, Any] = field(default_factory=dict)

    def html(self) -> str:
        """The figure; page.js fills it when it comes into view."""
        name = text(self.name)
        spec = {"data": self.traces, "layout": self.layout, "narrow": self.narrow}
        return (
            f'<figure class="chart" id="chart-{name}">\n'
            f"<figcaption>{text(self.title)}</figcaption>\n"
            f'<div class="plot" role="img" aria-label="{text(self.summary)}"'
            f' style="height:{self.height}px"></div>\n'
            f"{data(f'spec-{self.name}', spec)}"
            f"<details><summary>As numbers</summary>{self.table}</details>\n</figure>\n"
        )


def data(name: str, value: Any) -> str:
    """Data for the page's script; no text in it ends the element."""
    content = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{text(name)}">{content}</script>\n'


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: Sequence[int] = (0,),
    name: str,
) -> str:
    """A table that scrolls sideways where it is too wide; cells are plain text.

    Args:
        header: column titles.
        rows: of cells; the first cell heads its row.
        words: columns of words, which are aligned left.
        name: what it is, for those who do not see it.
    """

    def side(column: int) -> str:
        return ' class="name"' if column in words else ""

    heads = "".join(
        f'<th scope="col"{side(column)}>{text(cell)}</th>' for column, cell in enumerate(header)
    )
    body = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>'
        + "".join(f"<td{side(at)}>{text(cell)}</td>" for at, cell in enumerate(row[1:], start=1))
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{text(name)}"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n{body}</tbody></table></div>\n"
    )


def paragraph(words: str, kind: str = "words") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{text(words)}</p>\n'


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
