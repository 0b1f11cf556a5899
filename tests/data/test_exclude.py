"""Lists of training images to leave out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from idxfiles import write_idx
from synthetic import images

from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.exclude import read_exclusions, without
from fmnist_cli.data.fashion_mnist import FILES
from fmnist_cli.errors import DataError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("7\n3\n\n# a comment\n3\n", {3, 7}),
        ("\ufeff12\r\n5\r\n", {5, 12}),
        ("rank,split,index,label\n1,train,9,Coat\n2,test,4,Coat\n3,validation,2,Bag\n", {2, 9}),
        ("index,split\n8,train\n", {8}),
        ('# made by hand\nsplit,note,index\ntrain,"two\nlines",6\n', {6}),
        ("group,split,index,keep\n1,train,3,true\n1,train,4,false\n", {4}),
    ],
    ids=["plain", "windows", "audit", "columns", "quoted", "duplicates"],
)
def test_lists_that_are_read(tmp_path: Path, content: str, expected: set[int]) -> None:
    path = tmp_path / "list.csv"
    path.write_text(content, encoding="utf-8", newline="")
    assert read_exclusions(path) == expected


def test_the_first_are_the_worst(tmp_path: Path) -> None:
    path = tmp_path / "audit.csv"
    path.write_text("split,index\ntest,1\ntrain,30\ntrain,20\ntrain,30\ntrain,10\n")
    assert read_exclusions(path, 2) == {30, 20}
    assert read_exclusions(path, 99) == {10, 20, 30}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no image"),
        ("split,index\ntest,3\n", "names no image"),
        ("3\nfour\n", "line 2: 'four' is no position"),
        ("3\n-1\n", "line 2: '-1'"),
        ("split,index\ntrain,1.5\n", "line 2: '1.5'"),
        ("split,index\ntrain,1\nTrain,2\n", "line 3: split 'Train' is none of train"),
        ("split,index\ntrain\n", "line 2: '' is no position"),
        ("path,label\na.png,Coat\n", "columns split and index"),
    ],
)
def test_lists_that_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_exclusions(path)
    assert str(path) in str(caught.value)


def test_positions_beyond_the_file(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("599\n600\n")
    with pytest.raises(DataError, match="image 600, but the training file ends with 599"):
        read_exclusions(path, images=600)
    assert read_exclusions(path, images=601) == {599, 600}


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "list"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="no such file" if content is None else "no UTF-8"):
        read_exclusions(path)


def test_images_are_left_out_by_their_place_in_the_file(tmp_path: Path) -> None:
    whole = images(120)
    write_idx(tmp_path / FILES[0].name, whole.pixels)
    write_idx(tmp_path / FILES[1].name, whole.labels.astype(np.uint8))
    train, validation = load_split("train", tmp_path), load_split("validation", tmp_path)
    assert train.positions is not None
    assert validation.positions is not None
    np.testing.assert_array_equal(whole.pixels[train.positions], train.pixels)
    gone = {int(train.positions[4]), int(train.positions[50]), int(validation.positions[0])}
    left = without(train, gone)
    assert left.positions is not None
    assert len(left) == len(train) - 2
    assert not gone & set(left.positions.tolist())
    np.testing.assert_array_equal(whole.pixels[left.positions], left.pixels)
    np.testing.assert_array_equal(whole.labels[left.positions], left.labels)


def test_a_class_must_not_vanish() -> None:
    some = images(30)
    placed = LabelledImages(some.pixels, some.labels, np.arange(30))
    with pytest.raises(DataError, match="class 3 has none left"):
        without(placed, {3, 13, 23})


def test_images_from_no_file_have_no_place() -> None:
    with pytest.raises(ValueError, match="from no file"):
        without(images(30), {1})
