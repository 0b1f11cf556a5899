"""Records, manifests, tables and data that are not what their names say."""

from __future__ import annotations

import gzip
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import Faulty
from idxfiles import write_idx
from pictures import encoded, frame
from tinymodel import write_exported

from fmnist_cli.bench.compare import read as read_bench
from fmnist_cli.contract import Prediction
from fmnist_cli.data.dataset import read_idx
from fmnist_cli.errors import DataError, FmnistError, ImageError, ModelError
from fmnist_cli.journal import Record
from fmnist_cli.manifest import Manifest
from fmnist_cli.report.inputs import read_json
from fmnist_cli.sinks.jsonl import JsonlFormat
from fmnist_cli.sources import open_source

RECORD: dict[str, Any] = {
    **Record({}).to_json(),
    "counts": {
        "total": 1,
        "rejected": 0,
        "labels": {"Bag": 1},
        "prepared": {},
        "examples": [["a", "b"]],
    },
}


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "null",
        "[]",
        "{}",
        "\ufeff{}",
        "1" * 5000,
        b"\xff\xfe{\0}\0",
        b"",
        b"\0" * 100,
    ],
)
def test_files_that_are_none(content: str | bytes, tmp_path: Path) -> None:
    """one error each that names the file, of every kind of JSON that is read"""
    data = content if isinstance(content, bytes) else content.encode()
    names = ("rows.run.json", "manifest.json", "bench.json")
    for name in names:
        (tmp_path / name).write_bytes(data)
    readers: tuple[Callable[[], object], ...] = (
        lambda: Record.read(tmp_path / "rows"),
        lambda: Manifest.read(tmp_path),
        lambda: read_bench(tmp_path / "bench.json"),
    )
    for name, reader in zip(names, readers, strict=True):
        with pytest.raises(FmnistError, match=name):
            reader()


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_files_that_are_no_files(kind: str, tmp_path: Path) -> None:
    """an error at once; a pipe is not waited for"""
    path = tmp_path / "manifest.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    for reader in (lambda: Manifest.read(tmp_path), lambda: read_json(path)):
        with pytest.raises(FmnistError, match=r"manifest\.json"):
            reader()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("options", []),
        ("retry", 0),
        ("before", []),
        ("before", {"options": {}}),
        ("finished", "yes"),
        ("stages", -1),
        ("inputs", 10**30),
        ("inputs", True),
        ("size", 1.5),
        ("checksum", "0"),
        ("counts", {"total": 1}),
        ("counts", {**RECORD["counts"], "labels": {"Bag": "many"}}),
        ("counts", {**RECORD["counts"], "labels": [1]}),
        ("counts", {**RECORD["counts"], "examples": [["a"]]}),
        ("counts", {**RECORD["counts"], "examples": [["a", 7]]}),
        ("counts", {**RECORD["counts"], "examples": 7}),
    ],
)
def test_record_of_wrong_types(name: str, value: object, tmp_path: Path) -> None:
    """DataError that names the record"""
    path = tmp_path / "rows.run.json"
    path.write_text(json.dumps(RECORD))
    assert Record.read(tmp_path / "rows") is not None
    path.write_text(json.dumps({**RECORD, name: value}))
    with pytest.raises(DataError, match=r"rows\.run\.json is damaged"):
        Record.read(tmp_path / "rows")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file", "a\0b.onnx"),
        ("file", "\ud800.onnx"),
        ("title", ["a"]),
        ("sha256", 7),
        ("card", ["name"]),
        ("card", {"name": 7}),
        ("card", {"name": "\udfff"}),
        ("metrics", []),
        ("metrics", {"test": []}),
        ("training", "none"),
    ],
)
def test_manifest_of_wrong_types(field: str, value: object, tmp_path: Path) -> None:
    """ModelError that names the manifest"""
    folder = write_exported(tmp_path / "models")
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    values["models"]["cnn"][field] = value
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match=r"cannot read .*manifest\.json"):
        Manifest.read(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": 10**400},
        {"confidence": "1"},
        {"top": [{"label": "Bag", "probability": None}]},
        {"top": 7},
        {"class_id": "8"},
        {"path": ["a"]},
        {"label": {}},
    ],
)
def test_row_of_wrong_types(change: dict[str, Any], tmp_path: Path) -> None:
    """DataError that names the line"""
    row = Prediction("a", 8, "Bag", 0.5, (), "frame")
    line = JsonlFormat().lines([row])
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**json.loads(line), **change}) + "\n")
    with pytest.raises(DataError, match=r"rows\.jsonl, line 1"):
        list(JsonlFormat().read(path))


def test_resume_with_a_foreign_record(fmnist: Faulty, tmp_path: Path) -> None:
    """exit 1, one line that names the record and what to do"""
    (tmp_path / "a.png").write_bytes(encoded(frame()))
    (tmp_path / "rows.jsonl.run.json").write_text("[" * 100_000)
    outcome = fmnist("classify", "a.png", "-m", "cnn", "-o", "rows.jsonl", "--resume")
    assert outcome.code == 1
    assert "rows.jsonl.run.json is damaged" in outcome.said
    assert "run without --resume" in outcome.said


def test_images_under_the_names_of_fashion_mnist(fmnist: Faulty, tmp_path: Path) -> None:
    """measured, with a note that they are others, which the JSON has, too"""
    rng = np.random.default_rng(0)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", rng.integers(0, 256, (40, 28, 28), np.uint8))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", rng.integers(0, 10, 40, np.uint8))
    outcome = fmnist("evaluate", "-m", "cnn", "--data-dir", tmp_path, "--json")
    assert outcome.code == 0
    assert "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte: not as published" in outcome.said
    assert json.loads(outcome.out)["altered"] == [
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]


def test_data_set_that_announces_too_much(tmp_path: Path) -> None:
    """DataError, nothing is read"""
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(struct.pack(">BBBBIII", 0, 0, 8, 3, 60_000, 280, 280) + bytes(1000))
    with pytest.raises(DataError, match="too much"):
        read_idx(tmp_path / "a.gz", 3)


# Parquet.


def parquet(file: Path, **columns: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file


def names(path: Path) -> list[str]:
    found = []
    for item in open_source(path):
        try:
            item.read()
        except ImageError as error:
            pytest.fail(f"{item.path}: {error}")
        found.append(item.path)
    return found


PICTURES = [encoded(frame(seed)) for seed in range(3)]


@pytest.mark.parametrize("name_type", ["string", "large_string", "string_view", "dictionary"])
@pytest.mark.parametrize("type_", ["binary", "large_binary", "binary_view", "dictionary", "struct"])
def test_parquet_of_any_type(type_: str, name_type: str, tmp_path: Path) -> None:
    """a row for each picture, named by the column of names"""
    import pyarrow as pa

    def array(values: list[Any], kind: str) -> Any:
        if kind == "dictionary":
            return pa.array(values).dictionary_encode()
        return pa.array(values, getattr(pa, kind)())

    labels = [f"{number}.png" for number in range(3)]
    if type_ == "struct":
        parts = [array(PICTURES, "binary"), array(labels, name_type)]
        path = parquet(tmp_path / "a", image=pa.StructArray.from_arrays(parts, ["bytes", "path"]))
    else:
        images = array(PICTURES, type_)
        path = parquet(tmp_path / "a", path=array(labels, name_type), image=images)
    assert names(path) == labels


def test_parquet_whose_names_are_no_text(tmp_path: Path) -> None:
    """named as files of such names are; numbers are no names"""
    import pyarrow as pa

    odd = pa.array([b"a\xff.png", b"\x1b[2J.png", b"../up.png"]).view(pa.string())
    path = parquet(tmp_path / "a", path=odd, image=pa.array(PICTURES))
    assert names(path) == ["a\udcff.png", "\x1b[2J.png", "00000002"]
    again = odd.dictionary_encode()
    assert names(parquet(tmp_path / "b", path=again, image=pa.array(PICTURES))) == names(path)
    numbers = pa.array([{"bytes": content, "path": 7} for content in PICTURES])
    assert names(parquet(tmp_path / "c", image=numbers)) == ["00000000", "00000001", "00000002"]


def test_parquet_of_odd_column_names(fmnist: Faulty, tmp_path: Path) -> None:
    """one error in which no escape sequence is left"""
    parquet(tmp_path / "a.parquet", **{"\x1b[2Jone": PICTURES, "\x1b]0;two\a": PICTURES})
    outcome = fmnist("classify", "a.parquet", "-m", "cnn")
    assert outcome.code == 2
    assert r"\x1b[2Jone" in outcome.said
    assert b"\x1b" not in outcome.err


def test_parquet_whose_column_names_are_no_text(tmp_path: Path) -> None:
    """DataError that names the file"""
    path = parquet(tmp_path / "a.parquet", column=PICTURES)
    path.write_bytes(path.read_bytes().replace(b"column", b"col\xf4mn"))
    with pytest.raises(DataError, match=r"a\.parquet"):
        open_source(path)
