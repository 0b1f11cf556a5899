"""Parquet and IDX."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from idxfiles import write_idx
from pictures import encoded, frame

from fmnist_cli.contract import Picture
from fmnist_cli.errors import DataError, ImageError, UsageError
from fmnist_cli.sources import open_source
from fmnist_cli.sources.items import Selection

PNG = encoded(frame())


def table(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def names(path: Path, selection: Selection | None = None) -> list[str]:
    return [item.path for item in open_source(path, selection=selection)]


def test_pictures_as_data_sets_publish_them(tmp_path: Path) -> None:
    images = [
        {"bytes": PNG, "path": "x/a.png"},
        {"bytes": None, "path": "b.png"},
        {"bytes": PNG, "path": None},
        None,
        {"bytes": PNG, "path": "../../up.png"},
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    path = table(tmp_path / "a", {"label": [1, 2, 3, 4, 5], "image": pa.array(images, kind)})
    items = list(open_source(path))
    assert [item.path for item in items] == ["x/a.png", "b.png", "00000002", "00000003", "00000004"]
    assert items[0].read() == PNG
    assert items[4].read() == PNG
    for item in (items[1], items[3]):
        with pytest.raises(ImageError, match="null"):
            item.read()


def test_names_come_from_a_column_of_text_or_are_numbers(tmp_path: Path) -> None:
    columns = {"id": ["x", None], "data": [PNG, PNG]}
    assert names(table(tmp_path / "a", columns)) == ["x", "00000001"]
    assert names(table(tmp_path / "b", {**columns, "file_name": ["b", "a"]})) == ["b", "a"]
    assert names(table(tmp_path / "c", {"id": [7, 8], "data": [PNG, PNG]})) == [
        "00000000",
        "00000001",
    ]


def test_rows_go_on_over_batches_and_row_groups(tmp_path: Path) -> None:
    columns = pa.table({"image": pa.array([b"%d" % i for i in range(300)], pa.large_binary())})
    pq.write_table(columns, tmp_path / "a", row_group_size=70)
    items = list(open_source(tmp_path / "a"))
    assert [item.path for item in items] == [f"{i:08d}" for i in range(300)]
    assert [item.read() for item in items] == [b"%d" % i for i in range(300)]


def test_the_column_is_chosen_or_asked_for(tmp_path: Path) -> None:
    path = table(tmp_path / "a", {"mask": [b"m"], "photo": [PNG], "text": ["t"]})
    with pytest.raises(UsageError, match=r"mask, photo\. .*--image-column NAME"):
        open_source(path)
    (item,) = open_source(path, selection=Selection(image_column="photo"))
    assert item.read() == PNG
    for wrong in ("text", "nothing"):
        with pytest.raises(UsageError, match=f"no column '{wrong}' with bytes.*mask, photo"):
            open_source(path, selection=Selection(image_column=wrong))
    with pytest.raises(UsageError, match=r"no column holds bytes.*its columns are text"):
        open_source(table(tmp_path / "b", {"text": ["t"]}))


def test_a_damaged_parquet_file_is_told_at_once(tmp_path: Path) -> None:
    path = table(tmp_path / "a", {"image": [PNG]})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="not a whole Parquet file"):
        open_source(path)


def test_damage_within_a_parquet_file_has_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a"
    images = [encoded(frame(i)) for i in range(200)]
    columns = pa.table({"image": images})
    pq.write_table(columns, path, row_group_size=100, use_dictionary=False, compression="gzip")
    data = bytearray(path.read_bytes())
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    data[start : start + 60_000] = bytes(60_000)
    path.write_bytes(data)
    items = list(open_source(path))
    assert [item.path for item in items[:-1]] == [f"{i:08d}" for i in range(len(items) - 1)]
    assert items[-1].path == path.as_posix()
    with pytest.raises(ImageError, match="damaged after"):
        items[-1].read()


def test_large_values_are_rejected(tmp_path: Path) -> None:
    path = table(tmp_path / "a", {"image": [b"x" * 100, PNG]})
    first, second = open_source(path, selection=Selection(max_bytes=99))
    for item in (first, second):
        with pytest.raises(ImageError, match="see --max-bytes"):
            item.read()


# IDX.


def idx(path: Path, array: Any) -> Path:
    write_idx(path, array)
    return path


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_images_of_an_idx_file(tmp_path: Path, name: str) -> None:
    images = np.stack([frame(i)[:20] for i in range(3)])
    items = list(open_source(idx(tmp_path / name, images)))
    assert [item.path for item in items] == ["00000", "00001", "00002"]
    for item, wanted in zip(items, images, strict=True):
        picture = item.read()
        assert isinstance(picture, Picture)
        assert picture.colorless
        assert np.array_equal(picture.grey, wanted)
    assert len({item.signature() for item in items}) == 3


def test_labels_are_no_images(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds labels, not images"):
        open_source(idx(tmp_path / "labels", np.zeros(9, np.uint8)))
    with pytest.raises(UsageError, match="3 axes"):
        open_source(idx(tmp_path / "floats", np.zeros((1, 2, 2), np.float32)))
    with pytest.raises(DataError, match="damaged"):
        open_source(idx(tmp_path / "i", np.zeros((1, 9, 0), np.uint8)))


def test_images_beyond_the_limit_are_not_held(tmp_path: Path) -> None:
    path = idx(tmp_path / "i", np.zeros((3, 9, 9), np.uint8))
    (item,) = open_source(path, "", Selection(max_bytes=80))
    assert item.path == path.as_posix()
    with pytest.raises(ImageError, match="too large: 81 bytes, at most 80"):
        item.read()


@pytest.mark.parametrize("packed", [False, True])
def test_a_cut_off_or_too_long_idx_file_has_a_row(tmp_path: Path, packed: bool) -> None:
    whole = idx(tmp_path / "a", np.stack([frame(i) for i in range(3)])).read_bytes()
    for data, left in ((whole[:-1], 2), (whole + b"x", 3), (whole[:16], 0)):
        path = tmp_path / "b"
        path.write_bytes(gzip.compress(data) if packed else data)
        items = list(open_source(path))
        assert [item.path for item in items] == [*(f"{i:05d}" for i in range(left)), str(path)]
        with pytest.raises(ImageError, match=f"after {left} of 3 images"):
            items[-1].read()


def test_cut_off_gzip_data_of_an_idx_file_has_a_row(tmp_path: Path) -> None:
    path = idx(tmp_path / "a.gz", np.stack([frame(i) for i in range(9)]))
    path.write_bytes(path.read_bytes()[:-3000])
    *_, last = open_source(path)
    with pytest.raises(ImageError, match=r"of 9 images: .*end-of-stream"):
        last.read()


WITHOUT = """
import sys
from pathlib import Path
sys.modules["pyarrow"] = None
from fmnist_cli.errors import MissingExtraError
from fmnist_cli.sources import open_sources
assert [item.path for item in open_sources([sys.argv[1] + "/folder"])] == ["a.png"]
heavy = {"wcmatch", "tarfile", "zipfile", "tempfile", "numpy", "cv2", "PIL"} & set(sys.modules)
assert not heavy, heavy
try:
    open_sources([sys.argv[1] + "/table"])
except MissingExtraError as error:
    print(error)
"""


def test_what_is_not_needed_is_not_loaded_and_what_lacks_is_told(tmp_path: Path) -> None:
    table(tmp_path / "table", {"image": [PNG]})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(PNG)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "'pyarrow'" in done.stdout
    assert "[parquet]" in done.stdout
