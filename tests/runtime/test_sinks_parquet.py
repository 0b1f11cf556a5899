"""Parquet as a sink; skipped where pyarrow is not installed."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from fmnist_cli.contract import UNKNOWN, Candidate, Prediction, Rejected, Row
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.sinks.base import Sink

pq = pytest.importorskip("pyarrow.parquet")

from fmnist_cli.sinks import parquet  # noqa: E402

TOP = (Candidate("Bag", 0.7), Candidate("T-shirt/top", 0.1), Candidate("Coat", 1e-06))
ROWS: list[Row] = [
    Prediction("a.png", 8, "Bag", 0.7, TOP, "frame"),
    Rejected("b.png", "empty file"),
    Prediction(os.fsdecode(b"caf\xe9.png"), None, UNKNOWN, 0.3, TOP[:1], "product"),
    Rejected("\\udce9\n=x", "cannot read caf\udce9"),
    Prediction("d.png", 0, "T-shirt/top", 1.0, (), "frame"),
]


def write(path: Path, rows: list[Row], step: int = 2) -> bytes:
    sink: Sink = parquet.ParquetSink(path, 3)
    remaining = iter(rows)
    with sink:
        while chunk := list(islice(remaining, step)):
            sink.write(chunk, [])
    return path.read_bytes()


def test_rows_come_back(tmp_path: Path) -> None:
    write(tmp_path / "rows.parquet", ROWS)
    assert list(parquet.read(tmp_path / "rows.parquet")) == ROWS
    assert [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]


def test_columns_have_types(tmp_path: Path) -> None:
    write(tmp_path / "rows.parquet", ROWS)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert {field.name: str(field.type) for field in table.schema if field.name != "top"} == {
        "path": "string",
        "status": "dictionary<values=string, indices=int32, ordered=0>",
        "class_id": "int32",
        "label": "dictionary<values=string, indices=int32, ordered=0>",
        "confidence": "double",
        "prepared": "dictionary<values=string, indices=int32, ordered=0>",
        "error": "string",
    }
    first, second = table.slice(0, 2).to_pylist()
    assert first["top"][1] == {"label": "T-shirt/top", "probability": 0.1}
    assert second == {
        "path": "b.png",
        "status": "error",
        "class_id": None,
        "label": None,
        "confidence": None,
        "top": [],
        "prepared": None,
        "error": "empty file",
    }


def test_bytes_do_not_depend_on_how_rows_arrive(tmp_path: Path) -> None:
    rows = ROWS * (parquet.GROUP_ROWS // 2)
    a = write(tmp_path / "a.parquet", rows, 1_000)
    assert write(tmp_path / "b.parquet", rows, 70_000) == a
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [parquet.GROUP_ROWS, parquet.GROUP_ROWS, parquet.GROUP_ROWS // 2]


def test_no_rows_are_a_table_too(tmp_path: Path) -> None:
    write(tmp_path / "rows.parquet", [])
    assert list(parquet.read(tmp_path / "rows.parquet")) == []


def test_after_an_error_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_text("old")
    with pytest.raises(AttributeError), parquet.ParquetSink(path, 3) as sink:
        sink.write(ROWS, None.nothing)  # type: ignore[attr-defined]
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_text("no table")
    with pytest.raises(DataError, match=r"rows\.parquet"):
        list(parquet.read(path))
    import pyarrow as pa

    pq.write_table(pa.table({"path": ["a"]}), path)
    with pytest.raises(DataError, match="its columns are others"):
        list(parquet.read(path))


def test_an_impossible_file_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        parquet.ParquetSink(tmp_path, 3)
    with pytest.raises(UsageError, match="there is no folder"):
        parquet.ParquetSink(tmp_path / "x" / "rows.parquet", 3)
