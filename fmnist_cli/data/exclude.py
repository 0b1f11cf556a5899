"""Images to leave out of training, named by their positions in the official training file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Set
from dataclasses import replace
from pathlib import Path

import numpy as np

from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.errors import DataError

_SPLITS = ("train", "validation", "test")


def read_exclusions(
    path: Path, top: int | None = None, *, images: int | None = None
) -> frozenset[int]:
    """The positions in the official training file that a list names.

    Two forms are read: a CSV with the columns ``split`` and ``index``, as ``fmnist data audit``
    writes them, and plain positions, one per line; lines that begin with # are comments. Of a
    CSV, rows of the test split name no training image and are passed over, as are rows whose
    column ``keep`` is ``true`` (one image of every group of duplicates).

    Args:
        path: the list, UTF-8.
        top: take the first so many training images only; the audit puts the worst first.
        images: how many the training file has; a position beyond is an error.

    Raises:
        DataError: the file cannot be read, names no training image, or a line of it is wrong;
            says which line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; fmnist data audit writes one") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text; give a CSV or a list of positions") from error
    # Comments and empty lines before a header are passed over; below it, every line is a row.
    used = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and line[0] != "#"]
    is_table = bool(used) and not used[0][1].strip().isdecimal()
    plain = (_position(path, number, line) for number, line in used)
    rows = _table(path, used[0][0], lines) if is_table else plain
    positions = dict.fromkeys(rows)
    if not positions:
        raise DataError(f"{path}: names no image of the training file, so nothing is left out")
    if images is not None and max(positions) >= images:
        raise DataError(
            f"{path}: names image {max(positions)}, but the training file ends with"
            f" {images - 1}; it was made for other data"
        )
    return frozenset(list(positions)[:top])


def without(images: LabelledImages, excluded: Set[int]) -> LabelledImages:
    """The images of a split whose positions in the official file are not among `excluded`.

    Positions of other splits are passed over, so one list serves them all.

    Raises:
        ValueError: the images do not know their positions.
        DataError: no image would be left, or a class would lose its last one.
    """
    if images.positions is None:
        raise ValueError("these images are from no file, so none can be named")
    kept = ~np.isin(images.positions, np.fromiter(excluded, np.intp, len(excluded)))
    lost = set(np.unique(images.labels).tolist()) - set(np.unique(images.labels[kept]).tolist())
    if lost:
        raise DataError(
            f"without the excluded images, class {min(lost)} has none left; exclude fewer"
        )
    return replace(
        images,
        pixels=images.pixels[kept],
        labels=images.labels[kept],
        positions=images.positions[kept],
    )


def _table(path: Path, header: int, lines: list[str]) -> Iterator[int]:
    """Positions of a CSV whose header is line `header`, counted from 1."""
    reader = csv.DictReader(lines[header - 1 :])
    if not {"split", "index"} <= set(reader.fieldnames or ()):
        raise DataError(
            f"{path}: begins neither with a position nor with a header that has the columns"
            f" split and index, but with {lines[header - 1][:60]!r}"
        )
    for row in reader:
        number = header - 1 + reader.line_num
        split = (row["split"] or "").strip()
        if split not in _SPLITS:
            raise DataError(
                f"{path}, line {number}: split {split!r} is none of {', '.join(_SPLITS)}"
            )
        if split != "test" and (row.get("keep") or "").strip().lower() != "true":
            yield _position(path, number, row["index"] or "")


def _position(path: Path, number: int, text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal()):
        raise DataError(
            f"{path}, line {number}: {text!r} is no position in the training file; positions are"
            " whole numbers from 0"
        )
    return int(text)
