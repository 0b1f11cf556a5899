"""Files that are whole or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then give it its name in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    write(partial)
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Replace a UTF-8 text file in one step."""
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))
