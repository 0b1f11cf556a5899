"""Markdown tables made of committed results, and the pages that they stand in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def read(path: Path) -> Any:
    """A file of results."""
    return json.loads(path.read_text(encoding="utf-8"))


def table(header: list[str], rows: list[list[str]], words: int = 1) -> str:
    """A Markdown table; columns after the first `words` are figures and aligned right."""
    align = ["---"] * words + ["---:"] * (len(header) - words)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, align, *rows])


def _instead(block: str, _match: re.Match[str]) -> str:
    """`block` for whatever was found, without a meaning of its backslashes."""
    return block


def render(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """`text` with every marked table written anew."""
    for name, table_of in tables.items():
        block = f"<!-- {name} -->\n{table_of()}\n<!-- /{name} -->"
        pattern = rf"<!-- {name} -->.*?<!-- /{name} -->"
        text, count = re.subn(pattern, partial(_instead, block), text, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"there are {count} places for the table {name!r}, not 1")
    return text
