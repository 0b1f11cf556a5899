"""Where rows go. Adding a kind of output is one file and one entry in `KINDS`.

Sinks are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.contract import InputSpec, ModelCard, Row
from fmnist_cli.errors import UsageError
from fmnist_cli.sinks.base import LineFormat, LineSink, Sink

__all__ = ["KINDS", "Kind", "LineFormat", "Run", "Sink", "kind_of_name", "open_line_format"]


class Run(NamedTuple):
    """What sinks may need to know of a run.

    Attributes:
        top_k: candidates per row.
        models: whether rows say which model made them.
        embeddings: whether rows have their embedding.
        card: of the model; None where the pictures are not at hand.
        specs: what each model wants, by the name it has in rows.
        mode, max_pixels, max_bytes: how pictures were read and preprocessed.
    """

    top_k: int
    models: bool
    embeddings: bool
    card: ModelCard | None = None
    specs: Mapping[str | None, InputSpec] = {}
    mode: str = "auto"
    max_pixels: int = 0
    max_bytes: int = 0


class Kind(NamedTuple):
    """A kind of output file.

    Attributes:
        suffixes: of the names that imply it.
        sink: makes it at a path.
        lines: its format of lines, for K of top-K and whether rows say which model made them, if
            it can be written as rows come.
        read: gives the rows of a file back, if they are in it.
        words: what is in such a file.
    """

    suffixes: tuple[str, ...]
    sink: Callable[[Path, Run], Sink]
    lines: Callable[[int, bool], LineFormat] | None = None
    read: Callable[[Path], Iterator[Row]] | None = None
    words: str = "rows"


def _jsonl(_top_k: int, models: bool) -> LineFormat:
    from fmnist_cli.sinks.jsonl import JsonlFormat

    return JsonlFormat(models)  # a list may have any length


def _csv(top_k: int, models: bool) -> LineFormat:
    from fmnist_cli.sinks.csv import CsvFormat

    return CsvFormat(top_k, models)


def _excel(top_k: int, models: bool) -> LineFormat:
    from fmnist_cli.sinks.csv import CsvFormat

    return CsvFormat(top_k, models, mark=True)


def _text(_top_k: int, models: bool) -> LineFormat:
    from fmnist_cli.sinks.text import TextFormat

    return TextFormat(models)


def _lines(make: Callable[[int, bool], LineFormat]) -> Callable[[Path, Run], Sink]:
    return lambda path, run: LineSink(path, make(run.top_k, run.models))


def _parquet(path: Path, run: Run) -> Sink:
    from fmnist_cli.sinks.parquet import ParquetSink

    return ParquetSink(path, run.top_k, models=run.models, embeddings=run.embeddings)


def _rows_of_parquet(path: Path) -> Iterator[Row]:
    from fmnist_cli.sinks.parquet import read

    return read(path)


def _page(path: Path, run: Run) -> Sink:
    from fmnist_cli.sinks.page import PageSink

    if run.card is None:
        raise UsageError("a page shows the pictures: make it with fmnist classify --report FILE")
    return PageSink(
        path,
        run.card,
        run.specs,
        mode=run.mode,
        max_pixels=run.max_pixels,
        max_bytes=run.max_bytes,
    )


KINDS: dict[str, Kind] = {
    "jsonl": Kind((".jsonl",), _lines(_jsonl), _jsonl, lambda path: _jsonl(1, False).read(path)),
    "excel": Kind((".excel.csv",), _lines(_excel), _excel, lambda path: _csv(1, False).read(path)),
    "csv": Kind((".csv",), _lines(_csv), _csv, lambda path: _csv(1, False).read(path)),
    "text": Kind((".txt",), _lines(_text), _text),
    "parquet": Kind((".parquet",), _parquet, None, _rows_of_parquet),
    "page": Kind((".html", ".htm"), _page, words="page"),
}


def open_line_format(name: str, top_k: int, models: bool = False) -> LineFormat:
    """The format of lines called `name`.

    Args:
        name: one of `KINDS` that can be written as rows come.
        top_k: candidates per row, which sets the width of flat formats.
        models: whether rows say which model made them.

    Raises:
        KeyError: there is no such format.
    """
    make = KINDS[name].lines
    if make is None:
        raise KeyError(name)
    return make(top_k, models)


def kind_of_name(file_name: str) -> str | None:
    """The kind that the suffix of a file name implies; None when it implies none."""
    lower = file_name.lower()
    return next((name for name, kind in KINDS.items() if lower.endswith(kind.suffixes)), None)
