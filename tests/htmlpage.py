"""A page as tests look at it: elements, words, tables, scripts; all closed, no id twice."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

Attributes = dict[str, str | None]


class Page(HTMLParser):
    """What is on a page.

    Attributes:
        elements: tag and attributes.
        words: all text.
        tables: by the name of the region they are in, else by number; rows of cells.
        values: the same of the ``data-value`` of cells.
        scripts: attributes and text.
    """

    VOID = frozenset({"meta", "img", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.values: dict[str, list[list[str]]] = {}
        self.scripts: list[tuple[Attributes, str]] = []
        self._open: list[str] = []
        self._region = self._table = ""
        self._in_cell = False
        self.feed(text)
        self.close()
        assert self._open == []
        ids = [one["id"] for _, one in self.elements if "id" in one]
        assert len(ids) == len(set(ids))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag not in self.VOID:
            self._open.append(tag)
        if found.get("role") == "region":
            self._region = found.get("aria-label") or found.get("aria-labelledby") or ""
        elif tag == "table":
            self._table, self._region = self._region or f"{len(self.tables)}", ""
            self.tables[self._table], self.values[self._table] = [], []
        elif tag == "tr":
            self.tables[self._table].append([])
            self.values[self._table].append([])
        elif tag in ("th", "td"):
            self._in_cell = True
            self.tables[self._table][-1].append("")
            self.values[self._table][-1].append(found.get("data-value") or "")
        elif tag == "br":
            self.handle_data(" ")
        elif tag == "script":
            self.scripts.append((found, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._in_cell = self._in_cell and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._open and self._open[-1] == "script":
            attributes, before = self.scripts[-1]
            self.scripts[-1] = (attributes, before + data)
        if self._in_cell:
            self.tables[self._table][-1][-1] += data

    def all(self, tag: str) -> list[Attributes]:
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self, name: str) -> Any:
        """The JSON that a script of this id holds."""
        return next(json.loads(text) for found, text in self.scripts if found.get("id") == name)
