"""The tables of a measurement, for the terminal and for its page, and that page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fmnist_cli.html.page import render

Result = Mapping[str, Any]  # one model of the document


@dataclass(frozen=True, slots=True)
class Column:
    """A column of figures.

    Attributes:
        head: over it, two lines.
        value: the figure of a model; None where it was not measured.
        words: the figure for people.
        note: its interval, where there is room.
        bar: whether its size is worth a bar.
        narrow: only for where there is no room for `note`.
    """

    head: tuple[str, str]
    value: Callable[[Result], float | None]
    words: Callable[[float], str]
    note: Callable[[Result], str] | None = None
    bar: bool = False
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Columns under one title."""

    title: str
    columns: tuple[Column, ...]


def rounded(value: float) -> str:
    """About three digits: 0.012, 1.23, 12.3, 1,234."""
    digits = sum(value < limit for limit in (1, 10, 100))
    return f"{value:,.{digits}f}"


def shortened(count: float) -> str:
    """A count in at most five characters: 785, 7.85k, 1.35M, 2.40G."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return rounded(count / size) + suffix
    return str(round(count))


def interval(estimate: Mapping[str, float], scale: float = 1) -> str:
    """The ends of an interval, times `scale`: 1.20–1.31."""
    return f"{rounded(scale * estimate['low'])}–{rounded(scale * estimate['high'])}"


def at(*keys: str, scale: float = 1) -> Callable[[Result], Any]:
    """What stands at the end of these keys, a number times `scale`.

    It is None where one of them has nothing.
    """

    def value(result: Result) -> Any:
        found: Any = result
        for key in keys:
            found = None if found is None else found.get(key)
        return found if found is None or scale == 1 else scale * found

    return value


def _interval(*keys: str, scale: float = 1) -> Callable[[Result], str]:
    value = at(*keys)
    return lambda result: interval(value(result), scale) if value(result) else ""


def _timed(head: tuple[str, str], *keys: str, bar: bool = False) -> Column:
    """A figure that comes with an interval."""
    return Column(head, at(*keys, "median"), rounded, _interval(*keys), bar)


def _shown_margin(*keys: str) -> Column:
    """The margin of the figure before it, which fits where the interval does not."""
    value = at(*keys)

    def half(result: Result) -> float | None:
        found = value(result)
        return (found["high"] - found["low"]) / 2 / found["median"] if found else None

    return Column(("", "±"), half, "±{:.0%}".format, narrow=True)


def _f1(value: float) -> str:
    return f"{value:.4f}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


_QUALITY_AND_COST = Table(
    "Quality and cost",
    (
        Column(("accu-", "racy"), at("quality", "accuracy"), "{:.2%}".format),
        Column(("macro", "F1"), at("quality", "macro_f1"), _f1),
        Column(("Shirt", "F1"), at("quality", "shirt_f1"), _f1),
        Column(("", "ECE"), at("quality", "calibration_error"), _f1),
        Column(("size", "MB"), at("file_bytes", scale=1e-6), rounded, bar=True),
        Column(("para-", "meters"), at("parameters"), shortened),
        Column(("", "MACs"), at("macs"), shortened),
        Column(
            ("memory", "MB"),
            at("peak_memory_bytes", scale=1e-6),
            _whole,
            _interval("peak_memory_interval", scale=1e-6),
        ),
    ),
)


def speed(threads: int) -> Table:
    """Loading, latency and best throughput."""

    def one_thread(result: Result) -> float | None:
        by_size = result["timing"]["intervals"]["images_per_s"]["1"]
        return max(float(one["median"]) for one in by_size.values())

    intervals = ("timing", "intervals")
    columns = [
        Column(
            ("load", "ms"),
            at("timing", "load_s", scale=1e3),
            rounded,
            _interval(*intervals, "load_s", scale=1e3),
        ),
        _timed(("p50", "ms"), *intervals, "p50_ms", bar=True),
        _shown_margin(*intervals, "p50_ms"),
        _timed(("p95", "ms"), *intervals, "p95_ms"),
        _timed(("p99", "ms"), *intervals, "p99_ms"),
        Column(("images", "/s"), at("timing", "images_per_s"), _whole, _best_interval, bar=True),
        Column(("at", "batch"), at("timing", "batch_size"), _whole),
        Column(("on one", "thread"), one_thread, _whole),
        Column(
            ("", "spread"),
            lambda result: max(
                result["timing"]["latency_spread"], result["timing"]["images_per_s_spread"]
            ),
            "{:.2f}".format,
        ),
    ]
    return Table(f"Speed, threads: {threads}", tuple(columns))


def _best_interval(result: Result) -> str:
    """Of the throughput with most threads, which `images_per_s` is."""
    timing = result["timing"]
    most = list(timing["intervals"]["images_per_s"].values())[-1]
    return interval(most[str(timing["batch_size"])])


def throughput(document: Mapping[str, Any]) -> Table:
    """Images per second for each number of threads and batch size."""
    return Table(
        "Images per second by threads and batch size",
        tuple(
            _timed(
                (f"threads: {threads}", f"batch {size}"),
                *("timing", "intervals", "images_per_s", str(threads), str(size)),
            )
            for threads in document["thread_counts"]
            for size in document["batch_sizes"]
        ),
    )


_END_TO_END = Table(
    "fmnist classify on the pictures of --images",
    (
        Column(("", "pictures"), at("end_to_end", "images"), _whole),
        Column(("", "rejected"), at("end_to_end", "rejected"), _whole),
        _timed(("images/s,", "whole command"), "end_to_end", "images_per_s", bar=True),
        _shown_margin("end_to_end", "images_per_s"),
    ),
)


def tables_of(document: Mapping[str, Any], *, all_cells: bool = False) -> list[Table]:
    """The tables of a document; with `all_cells` that of every throughput, too."""
    tables = [_QUALITY_AND_COST, speed(document["threads"])]
    if all_cells:
        tables.append(throughput(document))
    if any(result["end_to_end"] for result in document["models"].values()):
        tables.append(_END_TO_END)
    return tables


def header_text(document: Mapping[str, Any]) -> str:
    """The machine and the versions that the figures belong to, for 100 columns."""
    machine, versions = document["machine"], document["versions"]
    libraries = ", ".join(
        f"{'fmnist' if name == 'fmnist-cli' else name} {version}"
        for name, version in versions.items()
        if name not in ("numpy", "python")
    )
    return (
        f"{machine['processor']}, cores: {machine['cores']}, threads: {document['threads']},"
        f" {libraries}"
    )


def footer_text(
    document: Mapping[str, Any], intervals: str = "±: half of the 95 % interval"
) -> str:
    """How to read the columns; `intervals` says where intervals stand."""
    pixels = {"test": "test images", "random": "random pixels"}[document["pixels"]]
    sizes = ", ".join(map(str, document["batch_sizes"]))
    models = document["models"]
    others = ", ".join(name for name in models if not models[name].get("of_data_set", True))
    note = (
        f"Without accuracy: {others}, which is not for the test images; it is measured on labelled"
        "\npictures by fmnist evaluate --data DIR.\n"
    )
    return (note if others else "") + (
        "ECE: calibration error, 15 bins. MACs: multiply-adds per image. memory: peak of a\n"
        "process that loads and runs the model. p50, p95, p99: latency of one image per call.\n"
        f"images/s: best of batches of {sizes}, of large images only the smaller ones.\n"
        f"Medians of {document['rounds']} interleaved rounds on {pixels}; {intervals};\n"
        "spread: slowest / fastest round."
    )


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
