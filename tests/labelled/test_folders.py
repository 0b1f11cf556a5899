"""Labelled pictures are read whole: every picture is there or has its reason."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from photofolders import write_photos
from tinymodel import BOX

from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.engines import ENGINES
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import open_labelled


def test_every_picture_is_there_or_has_its_reason(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", {"dress": 3, "hat": 2})
    (root / "hat" / "deep").mkdir()
    (root / "hat" / "deep" / "bad.png").write_bytes(b"\x89PNG\r\n")
    (root / "loose.png").write_bytes((root / "hat" / "000.png").read_bytes())
    (root / "hat" / "notes.txt").write_text("no picture")
    found = LabelledPictures.read(open_labelled(root, None), FRAME_SPEC, workers=1)
    assert found.folders == open_labelled(root, None).names() == ("dress", "hat")
    assert found.members.tolist() == [0, 0, 0, 1, 1]
    assert found.paths[0] == "dress/000.png"
    assert found.prepared == ("frame",) * 5
    expected = cv2.imread(str(root / "hat" / "001.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(found.pixels[4], expected)
    reasons = {row.path: row.error for row in found.rejected}
    assert set(reasons) == {"hat/deep/bad.png", "loose.png"}
    assert reasons["loose.png"] == "lies in no class folder"


def test_processes_and_threads_read_the_same(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", {"dress": 40, "hat": 30})
    one, *others = (
        LabelledPictures.read(open_labelled(root, None), FRAME_SPEC, workers=2, engine=engine)
        for engine in ENGINES
    )
    assert len(others) == 2
    for other in others:
        assert np.array_equal(one.pixels, other.pixels)
        assert one.paths == other.paths


def test_a_mode_is_kept_to(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", {"dress": 1})
    assert LabelledPictures.read(
        open_labelled(root, None), FRAME_SPEC, "product", workers=1
    ).prepared == ("product",)


def test_pictures_are_kept_as_the_model_wants_them(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "photos", {"dress": 2})
    found = LabelledPictures.read(open_labelled(root, None), BOX, workers=1)
    assert (found.pixels.shape, found.pixels.dtype) == ((2, 64, 48, 3), np.uint8)
    assert found.prepared == ("letterbox",) * 2


def test_what_cannot_be_read_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        LabelledPictures.read(open_labelled(tmp_path / "none", None), FRAME_SPEC)
    with pytest.raises(DataError, match="no class folders with pictures"):
        LabelledPictures.read(open_labelled(tmp_path, None), FRAME_SPEC)
    (tmp_path / "hat").mkdir()
    (tmp_path / "hat" / "bad.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"1 files were rejected, such as hat/bad.png"):
        LabelledPictures.read(open_labelled(tmp_path, None), FRAME_SPEC, workers=1)
