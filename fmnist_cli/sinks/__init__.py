"""Where rows go. Adding a format of lines is one file and one entry in `FORMATS`.

Formats and the other sinks (`parquet`, `tree`, `page`) are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fmnist_cli.sinks.base import LineFormat, Sink

__all__ = ["FORMATS", "Format", "LineFormat", "Sink", "format_of", "open_line_format"]


class Format(NamedTuple):
    """A format of lines: how to make it, and the suffix that implies it.

    It is given K of top-K, and whether rows say which model made them.
    """

    make: Callable[[int, bool], LineFormat]
    suffix: str


def _jsonl(top_k: int, models: bool) -> LineFormat:
    from fmnist_cli.sinks.jsonl import JsonlFormat

    del top_k  # a list may have any length
    return JsonlFormat(models)


def _csv(top_k: int, models: bool) -> LineFormat:
    from fmnist_cli.sinks.csv import CsvFormat

    return CsvFormat(top_k, models)


def _text(top_k: int, models: bool) -> LineFormat:
    from fmnist_cli.sinks.text import TextFormat

    del top_k
    return TextFormat(models)


FORMATS: dict[str, Format] = {
    "jsonl": Format(_jsonl, ".jsonl"),
    "csv": Format(_csv, ".csv"),
    "text": Format(_text, ".txt"),
}


def open_line_format(name: str, top_k: int, models: bool = False) -> LineFormat:
    """The format called `name`; `top_k` sets the width of flat ones.

    Args:
        name: one of `FORMATS`.
        top_k: candidates per row.
        models: whether rows say which model made them.

    Raises:
        KeyError: `name` is none of `FORMATS`.
    """
    return FORMATS[name].make(top_k, models)


def format_of(file_name: str) -> str | None:
    """The format that the suffix of a file name implies; None when it implies none."""
    lower = file_name.lower()
    return next((name for name, entry in FORMATS.items() if lower.endswith(entry.suffix)), None)
