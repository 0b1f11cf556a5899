"""A measurement as one HTML page that needs nothing but itself: tables that can be sorted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fmnist_cli.bench.tables import Column, Table, footer_text, header_text, tables_of
from fmnist_cli.html.page import render


def page(document: Mapping[str, Any]) -> Iterator[str]:
    """The page, piece by piece, of what `fmnist bench -o` writes."""
    words = footer_text(document, "below a figure: its 95 % interval").replace("\n", " ")
    return render(
        "bench.html",
        script="page.js",
        machine=header_text(document),
        date=document["date"],
        command=document["command"],
        tables=[_table(one, document["models"]) for one in tables_of(document, all_cells=True)],
        footer=words,
    )


def _table(table: Table, models: Mapping[str, Any]) -> dict[str, Any]:
    columns = [column for column in table.columns if not column.narrow]
    most = [
        max((column.value(result) or 0 for result in models.values()), default=0)
        for column in columns
    ]
    rows = [
        {
            "name": name,
            "title": result["title"],
            "cells": [_cell(*one, result) for one in zip(columns, most, strict=True)],
        }
        for name, result in models.items()
    ]
    return {"title": table.title, "heads": list(map(_head, columns)), "rows": rows}


def _head(column: Column) -> str:
    """The two lines of a head as one, a word that was divided put together."""
    first, second = column.head
    return f"{first[:-1]}{second}" if first.endswith("-") else f"{first} {second}".strip()


def _cell(column: Column, largest: float, result: Mapping[str, Any]) -> dict[str, str]:
    value = column.value(result)
    if value is None:
        return {"value": "", "words": "–", "note": "", "bar": ""}
    return {
        "value": repr(value),
        "words": column.words(value),
        "note": column.note(result) if column.note else "",
        "bar": f"{value / largest:.2%}" if column.bar and largest else "",
    }
