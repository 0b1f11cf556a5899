"""The recipes of ARCHITECTURE.md: one more source, output and engine, each by one entry.

A model and a kind of input go the whole way in `test_another_input.py`.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pictures import encoded, frame

from fmnist_cli.cli.labelling import Run, label
from fmnist_cli.contract import Row
from fmnist_cli.engines import ENGINES, Chunker, Worker
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.sinks import KINDS, Kind
from fmnist_cli.sinks.base import LineSink
from fmnist_cli.sinks.outputs import Wanted
from fmnist_cli.sources import Inputs
from fmnist_cli.sources.containers import CONTAINERS, ContainerSource
from fmnist_cli.sources.items import HeldItem, Item
from fmnist_cli.sources.kinds import STARTS


class BundleSource(ContainerSource):
    """A source: pictures of equal size, one after the other, behind eight bytes."""

    def __iter__(self) -> Iterator[Item]:
        content = self._path.read_bytes()
        size = int.from_bytes(content[6:8], "big")
        for number, start in enumerate(range(8, len(content), size)):
            yield HeldItem(f"{self._prefix}{number}", content[start : start + size])


class Labels:
    """A format of lines: path and label."""

    def header(self) -> str:
        return ""

    def lines(self, rows: Sequence[Row]) -> str:
        return "".join(f"{row.path}\t{getattr(row, 'label', '-')}\n" for row in rows)

    def read(self, path: Path) -> Iterator[Row]:
        raise NotImplementedError


def serial(
    worker: Worker[Any], chunker: Chunker, workers: int, timeout: float
) -> Generator[Any, None, None]:
    """An engine: everything here and now."""
    del workers, timeout
    while chunk := chunker.take():
        serial.chunks += 1  # type: ignore[attr-defined]
        yield worker(chunk)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(40):
        (root / f"{number:02}.png").write_bytes(encoded(frame(number)))
    return root


def rows(source: Path, target: Path, exported_dir: Path, **run: Any) -> list[dict[str, Any]]:
    how = Run(model="cnn", models_dir=exported_dir, **run)
    assert label(Inputs((str(source),)), Settings(), Wanted((str(target),)), how) == 0
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_a_source(
    folder: Path, tmp_path: Path, exported_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STARTS, b"BUNDLE", "bundle")
    monkeypatch.setitem(CONTAINERS, "bundle", (__name__, "BundleSource"))
    pictures = [path.read_bytes() for path in sorted(folder.iterdir())]
    size = max(map(len, pictures))
    bundle = tmp_path / "bundle"
    padded = b"".join(picture.ljust(size, b"\0") for picture in pictures)
    bundle.write_bytes(b"BUNDLE" + size.to_bytes(2, "big") + padded)
    found = rows(bundle, tmp_path / "a.jsonl", exported_dir)
    alike = rows(folder, tmp_path / "b.jsonl", exported_dir)
    assert [row["path"] for row in found] == [str(number) for number in range(40)]
    assert [row["top"] for row in found] == [row["top"] for row in alike]


def test_an_output(
    folder: Path, tmp_path: Path, exported_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = Kind((".tsv",), lambda path, _run: LineSink(path, Labels()))
    monkeypatch.setitem(KINDS, "tsv", kind)
    outputs = (str(tmp_path / "rows.tsv"), str(tmp_path / "rows.jsonl"))
    how = Run(model="cnn", models_dir=exported_dir)
    assert label(Inputs((str(folder),)), Settings(), Wanted(outputs), how) == 0
    expected = map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())
    written = (tmp_path / "rows.tsv").read_text()
    assert written == "".join(f"{row['path']}\t{row['label']}\n" for row in expected)
    assert written.count("\n") == 40


def test_an_engine(
    folder: Path, tmp_path: Path, exported_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "serial", (__name__, "serial"))
    monkeypatch.setattr(serial, "chunks", 0, raising=False)
    found = rows(folder, tmp_path / "a.jsonl", exported_dir, engine="serial", batch_size=9)
    assert serial.chunks == 5  # type: ignore[attr-defined]
    assert found == rows(folder, tmp_path / "b.jsonl", exported_dir)
