"""Where rows go. Adding a format is one file and one entry in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from fmnist_cli.runtime.rows import Row
from fmnist_cli.runtime.sinks.csv import CsvSink
from fmnist_cli.runtime.sinks.jsonl import JsonlSink
from fmnist_cli.runtime.sinks.text import TextSink

__all__ = ["FORMATS", "Format", "Sink", "open_sink"]


class Sink(Protocol):
    """Takes rows one by one, in input order."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows; the caller flushes and closes the stream."""


@dataclass(frozen=True, slots=True)
class Format:
    """An output format: how to make its sink, and the file suffix that implies it."""

    make: Callable[[TextIO, int], Sink]
    suffix: str


FORMATS: dict[str, Format] = {
    "jsonl": Format(lambda stream, _top_k: JsonlSink(stream), ".jsonl"),
    "csv": Format(CsvSink, ".csv"),
    "text": Format(lambda stream, _top_k: TextSink(stream), ".txt"),
}


def open_sink(name: str, stream: TextIO, top_k: int) -> Sink:
    """The sink called `name` over a text stream; `top_k` sets the width of flat formats.

    Raises:
        KeyError: `name` is none of `FORMATS`.
    """
    return FORMATS[name].make(stream, top_k)
