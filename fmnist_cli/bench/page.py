"""A measurement as one HTML page that needs nothing but itself: tables that can be sorted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fmnist_cli.bench.tables import Column, Table, footer_text, header_text, tables_of
from fmnist_cli.sinks.gallery.page import allowed, asset, text


def page(document: Mapping[str, Any]) -> Iterator[str]:
    """The page, piece by piece, of what `fmnist bench -o` writes."""
    # Its looks are those of the contact sheet of `fmnist classify`.
    style = asset("page.css") + asset("page.css", __package__)
    script = asset("page.js", __package__)
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src {allowed(style)}; script-src {allowed(script)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Accuracy against cost</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Accuracy against cost</h1>
<p class="soft">{text(header_text(document))}<br>{text(document["date"])}<br>\
<code>{text(document["command"])}</code></p>
</header>
<main>
"""
    for number, table in enumerate(tables_of(document, all_cells=True)):
        yield from _table(f"table-{number}", table, document["models"])
    words = footer_text(document, "below a figure: its 95 % interval").replace("\n", " ")
    yield f'<p class="words soft">{text(words)}</p>\n'
    yield f"</main>\n<script>{script}</script>\n</body>\n</html>\n"


def _table(anchor: str, table: Table, models: Mapping[str, Any]) -> Iterator[str]:
    yield f'<section class="measured" aria-labelledby="{anchor}">\n'
    yield f'<h2 id="{anchor}">{text(table.title)}</h2>\n'
    yield f'<div class="wide" tabindex="0" role="region" aria-labelledby="{anchor}">'
    yield '<table><thead><tr><th scope="col">model</th>'
    columns = [column for column in table.columns if not column.narrow]
    for column in columns:
        yield f'<th scope="col">{text(_head(column))}</th>'
    yield "</tr></thead><tbody>\n"
    most = [
        max((column.value(result) or 0 for result in models.values()), default=0)
        for column in columns
    ]
    for name, result in models.items():
        yield f'<tr><th scope="row" title="{text(result["title"])}">{text(name)}</th>'
        for column, largest in zip(columns, most, strict=True):
            yield _cell(column, result, largest)
        yield "</tr>\n"
    yield "</tbody></table></div></section>\n"


def _head(column: Column) -> str:
    """The two lines of a head as one, a word that was divided put together."""
    first, second = column.head
    return f"{first[:-1]}{second}" if first.endswith("-") else f"{first} {second}".strip()


def _cell(column: Column, result: Mapping[str, Any], largest: float) -> str:
    value = column.value(result)
    if value is None:
        return '<td data-value="">–</td>'
    note, bar = column.note(result) if column.note else "", ""
    if note:
        note = f'<br><small class="soft">{text(note)}</small>'
    if column.bar and largest:
        width = f"{value / largest:.2%}"
        bar = f'<svg aria-hidden="true"><rect width="{width}" height="100%"/></svg>'
    return f'<td data-value="{value!r}">{text(column.words(value))}{note}{bar}</td>'
