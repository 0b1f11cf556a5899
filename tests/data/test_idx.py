from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from idxfiles import write_idx

from fmnist_cli.data.dataset import read_idx
from fmnist_cli.errors import DataError

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


def idx_bytes(array: npt.NDArray[np.uint8]) -> bytes:
    """An IDX file written out by hand, apart from the code under test."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    array=st.sampled_from((1, 3)).flatmap(
        lambda axes: hnp.arrays("uint8", hnp.array_shapes(min_dims=axes, max_dims=axes, min_side=0))
    ),
    packed=st.booleans(),
)
def test_every_shape_survives_a_round_trip(
    tmp_path: Path, array: npt.NDArray[np.uint8], packed: bool
) -> None:
    path = tmp_path / ("values.gz" if packed else "values")
    write_idx(path, array)
    back = read_idx(path, array.ndim)
    assert back.dtype == np.uint8
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    misnamed_gzip, misnamed_plain = tmp_path / "images", tmp_path / "images.gz"
    misnamed_gzip.write_bytes(gzip.compress(idx_bytes(IMAGES)))
    misnamed_plain.write_bytes(idx_bytes(IMAGES))
    for path in (misnamed_gzip, misnamed_plain):
        np.testing.assert_array_equal(read_idx(path, 3), IMAGES)


def test_what_is_read_cannot_be_written_to(tmp_path: Path) -> None:
    write_idx(tmp_path / "images", IMAGES)
    with pytest.raises(ValueError, match="read-only"):
        read_idx(tmp_path / "images", 3)[0] = 0


def test_gzip_files_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.gz", IMAGES)
    write_idx(tmp_path / "b.gz", IMAGES)
    content = (tmp_path / "a.gz").read_bytes()
    assert content == (tmp_path / "b.gz").read_bytes()
    assert content[4:8] == bytes(4)  # no time in the header


GOOD = idx_bytes(IMAGES)
PACKED = gzip.compress(GOOD, mtime=0)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        pytest.param(b"", "too short", id="empty"),
        pytest.param(b"<html>not found</html>", "not an IDX file", id="a web page"),
        pytest.param(b"\0\0\x0a\3" + GOOD[4:], "holds values of type 0x0a", id="unknown type"),
        pytest.param(b"\0\0\x0b\3" + GOOD[4:], "another file than its name says", id="other type"),
        pytest.param(b"\0\0\x08\0" + GOOD[4:], "of 0 axes where 3", id="no axes"),
        pytest.param(b"\0\0\x08\1" + GOOD[4:], "labels may be swapped", id="one axis"),
        pytest.param(b"\0\0\x08\xff" + bytes(2000), "of 255 axes where 3", id="255 axes"),
        pytest.param(GOOD[:10], "truncated within the header", id="short header"),
        pytest.param(GOOD[:-1], "truncated, 59 of 60 bytes", id="short payload"),
        pytest.param(GOOD + b"x", "bytes after the 60", id="trailing byte"),
        pytest.param(
            b"\0\0\x08\3" + bytes(3) + b"\1" + b"\xff" * 8 + b"x",
            "announces 18,446,744,065,119,617,025",
            id="absurd size",
        ),
        pytest.param(
            b"\0\0\x08\3" + bytes(4) + b"\xff" * 8, "which is too much", id="absurd empty shape"
        ),
        pytest.param(PACKED[:-12], "gzip data ends too early", id="cut gzip"),
        pytest.param(PACKED[:-8] + bytes(8), "gzip data is corrupt", id="wrong CRC"),
        pytest.param(PACKED[:10] + b"\xff" * 20, "gzip data is corrupt", id="bad deflate"),
        pytest.param(PACKED + b"junk", "gzip data is corrupt", id="junk after gzip"),
        pytest.param(gzip.compress(GOOD[:-1]), "truncated", id="short payload in gzip"),
        pytest.param(gzip.compress(GOOD + b"x"), "bytes after", id="trailing byte in gzip"),
    ],
)
def test_a_damaged_file_is_named_with_cause_and_fix(
    tmp_path: Path, content: bytes, cause: str
) -> None:
    path = tmp_path / "train-images"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path, 3)
    message = str(caught.value)
    assert str(path) in message
    assert cause in message
    assert "fmnist data download" in message


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing: no such file.*fmnist data download"):
        read_idx(tmp_path / "nothing", 3)
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path, 3)
