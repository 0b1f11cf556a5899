from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from fmnist_cli.cli.data import app
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.data.images import write_images
from fmnist_cli.errors import DataError, UsageError

MakeData = Callable[..., Path]


def some_images(count: int, seed: int = 5) -> LabelledImages:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return LabelledImages(pixels, rng.integers(0, 10, count))


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_pictures_are_lossless_grey_and_in_order(tmp_path: Path) -> None:
    images = some_images(12)
    paths = write_images(images, tmp_path / "out")
    assert [path.name for path in paths] == [f"{index:05d}.png" for index in range(12)]
    for path, pixels in zip(paths, images.pixels, strict=True):
        content = np.frombuffer(path.read_bytes(), np.uint8)
        decoded = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
        assert decoded is not None
        assert decoded.dtype == np.uint8
        np.testing.assert_array_equal(decoded, pixels)  # two axes: a grey picture


def test_labels_stand_beside_the_pictures(tmp_path: Path) -> None:
    images = some_images(4)
    write_images(images, tmp_path)
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert rows == [
        {"file": f"{index:05d}.png", "class_id": str(label), "label": CLASS_NAMES[label]}
        for index, label in enumerate(images.labels)
    ]


def test_no_images_write_an_empty_table(tmp_path: Path) -> None:
    assert write_images(some_images(0), tmp_path / "out") == []
    assert (tmp_path / "out" / "labels.csv").read_text() == "file,class_id,label\n"


def test_a_folder_in_use_is_left_alone_without_force(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"is not empty \(it holds holiday.jpg\).*--force"):
        write_images(some_images(2), tmp_path)
    assert names(tmp_path) == ["holiday.jpg"]


def test_hidden_files_do_not_count(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    assert len(write_images(some_images(2), tmp_path)) == 2


def test_force_replaces_an_earlier_run_and_nothing_else(tmp_path: Path) -> None:
    write_images(some_images(9, seed=1), tmp_path)
    for kept in ("holiday.jpg", "7.png", "00003.jpg", "20240131.png"):
        (tmp_path / kept).write_bytes(b"mine")
    images = some_images(3, seed=2)
    paths = write_images(images, tmp_path, force=True)
    assert names(tmp_path) == [
        "00000.png",
        "00001.png",
        "00002.png",
        "00003.jpg",
        "20240131.png",
        "7.png",
        "holiday.jpg",
        "labels.csv",
    ]
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 4
    first = cv2.imdecode(np.frombuffer(paths[0].read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(first, images.pixels[0])


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UsageError, match="is a file; name a folder"):
        write_images(some_images(2), tmp_path / "out")
    with pytest.raises(DataError, match="cannot write to"):
        write_images(some_images(2), tmp_path / "out" / "below")


def test_the_command_writes_the_first_of_a_split(tmp_path: Path, make_data: MakeData) -> None:
    data, out = make_data(tmp_path / "data"), tmp_path / "out"
    arguments = ["images", str(out), "--split", "validation", "--data-dir", str(data)]
    result = CliRunner().invoke(app, [*arguments, "--limit", "5"])
    assert result.exit_code == 0
    assert result.stdout == f"{out}\n"
    assert "wrote 5 pictures" in result.stderr
    last = cv2.imdecode(np.frombuffer((out / "00004.png").read_bytes(), np.uint8), 0)
    np.testing.assert_array_equal(last, load_split("validation", data).pixels[4])

    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, UsageError)
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0
    assert len(names(out)) == 21
