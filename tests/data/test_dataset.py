from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from idxfiles import write_idx
from typer.testing import CliRunner

from fmnist_cli.cli.data import app
from fmnist_cli.data.dataset import SPLIT_SEED, load_split, read_idx, split_indices
from fmnist_cli.data.fashion_mnist import (
    FILES,
    TRAIN_IMAGES,
    Split,
    cache_dir,
    data_checksum,
    default_download_dir,
    find_data_dir,
)
from fmnist_cli.errors import DataError

MakeData = Callable[..., Path]
RAW = Path("FashionMNIST", "raw")


# Where the data is looked for.


def test_places_are_searched_in_order(
    nowhere: Path, make_data: MakeData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_data(cache_dir())
    assert find_data_dir() == cache_dir()
    make_data(nowhere / "data" / "fashion-mnist")
    assert find_data_dir() == Path("data", "fashion-mnist")
    monkeypatch.setenv("FMNIST_DATA_DIR", str(make_data(tmp_path / "env")))
    assert find_data_dir() == tmp_path / "env"
    assert find_data_dir(make_data(tmp_path / "named")) == tmp_path / "named"


@pytest.mark.parametrize("gz", [True, False])
@pytest.mark.parametrize("below", [Path(), RAW])
def test_plain_and_torchvision_layouts_are_found_gzip_or_unpacked(
    tmp_path: Path, make_data: MakeData, gz: bool, below: Path
) -> None:
    folder = make_data(tmp_path / below, gz=gz)
    assert find_data_dir(tmp_path) == folder
    assert find_data_dir(folder) == folder
    assert len(load_split("test", tmp_path)) == 30


def test_the_search_without_result_lists_places_and_the_fix(nowhere: Path) -> None:
    with pytest.raises(DataError) as caught:
        find_data_dir()
    message = str(caught.value)
    assert str(nowhere / "data" / "fashion-mnist") in message
    assert str(cache_dir()) in message
    assert "fmnist data download" in message


def test_a_named_place_without_data_is_an_error_even_when_others_have_some(
    nowhere: Path, make_data: MakeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_data(cache_dir())
    empty = nowhere / "empty"
    with pytest.raises(DataError, match=r"empty \(from --data-dir\) does not exist"):
        find_data_dir(empty)
    empty.mkdir()
    monkeypatch.setenv("FMNIST_DATA_DIR", str(empty))
    with pytest.raises(DataError, match=r"\(from FMNIST_DATA_DIR\) lacks train-images"):
        find_data_dir()
    monkeypatch.setenv("FMNIST_DATA_DIR", "")
    assert find_data_dir() == cache_dir()


def test_a_file_given_as_the_folder_is_explained(tmp_path: Path, make_data: MakeData) -> None:
    make_data(tmp_path)
    with pytest.raises(DataError, match="is a file; name the folder"):
        find_data_dir(tmp_path / TRAIN_IMAGES.name)


def test_a_whole_data_set_wins_over_an_interrupted_download(
    nowhere: Path, make_data: MakeData
) -> None:
    partly = make_data(nowhere / "data" / "fashion-mnist")
    (partly / FILES[3].name).unlink()
    assert find_data_dir() == Path("data", "fashion-mnist")
    make_data(cache_dir())
    assert find_data_dir() == cache_dir()


def test_downloads_go_into_a_clone_or_the_cache(nowhere: Path) -> None:
    assert default_download_dir() == cache_dir()
    (nowhere / "data" / "samples").mkdir(parents=True)
    assert default_download_dir() == Path("data", "fashion-mnist")


# What the splits hold.


def test_train_and_validation_share_the_training_file(tmp_path: Path, make_data: MakeData) -> None:
    make_data(tmp_path, train=240)
    pixels = read_idx(tmp_path / TRAIN_IMAGES.name, 3)
    train, validation = load_split("train", tmp_path), load_split("validation", tmp_path)
    assert np.bincount(train.labels).tolist() == [22] * 10
    assert np.bincount(validation.labels).tolist() == [2] * 10
    both = {image.tobytes() for part in (train, validation) for image in part.pixels}
    assert both == {image.tobytes() for image in pixels}


@pytest.mark.parametrize("split", get_args(Split))
def test_arrays_have_the_promised_types_and_are_read_only(
    tmp_path: Path, make_data: MakeData, split: Split
) -> None:
    images = load_split(split, make_data(tmp_path))
    assert images.pixels.dtype == np.uint8
    assert images.pixels.shape == (len(images), 28, 28)
    assert images.labels.dtype == np.int64
    assert images.labels.shape == (len(images),)
    assert not images.pixels.flags.writeable
    assert not images.labels.flags.writeable


def test_train_and_test_do_not_need_each_others_files(tmp_path: Path, make_data: MakeData) -> None:
    make_data(tmp_path / "train")
    make_data(tmp_path / "test")
    for file in FILES[2:]:
        (tmp_path / "train" / file.name).unlink()
    for file in FILES[:2]:
        (tmp_path / "test" / file.name).unlink()
    assert len(load_split("train", tmp_path / "train")) == 220
    assert len(load_split("test", tmp_path / "test")) == 30
    with pytest.raises(DataError, match="lacks t10k-images"):
        load_split("test", tmp_path / "train")


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown split 'valid'"):
        load_split("valid", tmp_path)  # type: ignore[arg-type]


def test_the_split_covers_all_and_depends_on_the_seed_alone() -> None:
    labels = np.random.default_rng(3).integers(0, 10, 1000)
    train, validation = split_indices(labels, 1)
    assert sorted([*train, *validation]) == list(range(1000))
    np.testing.assert_array_equal(validation, split_indices(labels, 1)[1])
    assert not np.array_equal(validation, split_indices(labels, 2)[1])
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(validation) > 0)


def test_the_split_is_pinned() -> None:
    """A changed split would make every published validation number mean something else."""
    labels = np.arange(60_000) % 10
    validation = split_indices(labels, SPLIT_SEED)[1]
    assert len(validation) == 5_000
    assert validation[:8].tolist() == [2, 3, 11, 13, 20, 53, 59, 92]


@pytest.mark.parametrize(("members", "held_out"), [(1, 0), (2, 1), (17, 1), (18, 2), (6_000, 500)])
def test_one_in_twelve_of_a_class_is_held_out(members: int, held_out: int) -> None:
    train, validation = split_indices(np.full(members, 4))
    assert (len(train), len(validation)) == (members - held_out, held_out)


# Files that do not fit.


def test_images_and_labels_must_be_equally_many(tmp_path: Path, make_data: MakeData) -> None:
    make_data(tmp_path)
    write_idx(tmp_path / FILES[1].name, np.zeros(239, np.uint8))
    with pytest.raises(DataError, match=r"holds 240 images, but .* holds 239 labels"):
        load_split("train", tmp_path)


def test_labels_beyond_the_classes_are_refused(tmp_path: Path, make_data: MakeData) -> None:
    make_data(tmp_path)
    write_idx(tmp_path / FILES[1].name, np.full(240, 10, np.uint8))
    with pytest.raises(DataError, match="holds the label 10, but classes go from 0 to 9"):
        load_split("train", tmp_path)


def test_images_of_another_size_are_refused(tmp_path: Path, make_data: MakeData) -> None:
    make_data(tmp_path)
    write_idx(tmp_path / FILES[0].name, np.zeros((240, 32, 30), np.uint8))
    with pytest.raises(DataError, match="images of 30x32 pixels where 28x28"):
        load_split("train", tmp_path)


def test_swapped_files_are_refused(tmp_path: Path, make_data: MakeData) -> None:
    make_data(tmp_path)
    shutil.copy(tmp_path / FILES[0].name, tmp_path / FILES[1].name)
    with pytest.raises(DataError, match="3 axes where 1 are needed"):
        load_split("train", tmp_path)


# Checksums.


def test_the_checksum_names_the_data_not_its_packing(tmp_path: Path, make_data: MakeData) -> None:
    packed = make_data(tmp_path / "packed") / TRAIN_IMAGES.name
    unpacked = make_data(tmp_path / "unpacked", gz=False) / TRAIN_IMAGES.unpacked_name
    md5, payload_md5 = (
        hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in (packed, unpacked)
    )
    published = TRAIN_IMAGES._replace(md5=md5, payload_md5=payload_md5)
    assert data_checksum(packed.parent, images=published) == md5
    assert data_checksum(unpacked.parent, images=published) == md5
    assert data_checksum(unpacked.parent) == payload_md5  # not the official content


# Other readers of the same files.


def test_torchvision_reads_what_is_written_here(tmp_path: Path, make_data: MakeData) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    make_data(tmp_path / RAW, gz=False)
    theirs = datasets.FashionMNIST(str(tmp_path), train=False, download=False)
    ours = load_split("test", tmp_path)
    np.testing.assert_array_equal(theirs.data.numpy(), ours.pixels)
    np.testing.assert_array_equal(theirs.targets.numpy(), ours.labels)


# fmnist data info.


def test_info_describes_the_folder_as_json_and_text(tmp_path: Path, make_data: MakeData) -> None:
    folder = make_data(tmp_path / RAW)
    (folder / FILES[3].name).unlink()
    result = CliRunner().invoke(app, ["info", "--data-dir", str(tmp_path), "--json"])
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert summary["data_dir"] == str(folder)
    assert summary["layout"] == "torchvision"
    assert [file["md5"] for file in summary["files"]] == ["unknown"] * 3 + ["missing"]
    assert summary["splits"]["train"]["images"] == 220
    assert summary["splits"]["validation"]["classes"]["Ankle boot"] == 2
    assert "test" not in summary["splits"]

    text = CliRunner().invoke(app, ["info", "--data-dir", str(tmp_path)]).stdout
    assert f"{folder}  (torchvision layout)" in text
    assert "missing" in text


# The official files.


def test_the_official_splits_are_balanced_and_apart(real_data_dir: Path) -> None:
    splits = {split: load_split(split, real_data_dir) for split in get_args(Split)}
    assert {split: len(images) for split, images in splits.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    for images, each in ((splits["train"], 5_500), (splits["validation"], 500)):
        assert np.bincount(images.labels).tolist() == [each] * 10
    official = read_idx(real_data_dir / TRAIN_IMAGES.name, 3)
    together = int(splits["train"].pixels.sum()) + int(splits["validation"].pixels.sum())
    assert together == int(official.sum())


def test_the_official_checksums_hold(real_data_dir: Path, tmp_path: Path) -> None:
    assert data_checksum(real_data_dir) == TRAIN_IMAGES.md5
    for file in FILES:
        content = (real_data_dir / file.name).read_bytes()
        assert len(content) == file.size
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == file.md5
        (tmp_path / file.unpacked_name).write_bytes(gzip.decompress(content))
    assert data_checksum(tmp_path) == TRAIN_IMAGES.md5
