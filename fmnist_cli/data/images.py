"""Writes images of the data set as a folder of PNG files, ready for ``fmnist classify``."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import cv2

from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import DataError
from fmnist_cli.files import check_folder, write_bytes, write_text

LABELS_NAME = "labels.csv"
_NUMBERED = re.compile(r"\d{5,}\.png")


def write_images(images: LabelledImages, out: Path, *, force: bool = False) -> list[Path]:
    """Writes ``00000.png``, ``00001.png``, …: lossless 8-bit grey, 28x28, in data set order.

    Beside them ``labels.csv``, with the columns file, class_id, label.

    Args:
        out: the folder; made when missing.
        force: write into a folder that is not empty. The numbered pictures that an earlier
            run listed in ``labels.csv`` are replaced; all other files stay.

    Returns:
        The paths of the pictures, in data set order.

    Raises:
        UsageError: ``out`` is a file, or a folder that is not empty, without ``force``.
        DataError: a file cannot be written.
    """
    check_folder(out, force=force)
    width = max(5, len(str(len(images) - 1)))
    paths = [out / f"{index:0{width}d}.png" for index in range(len(images))]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in _written_before(out) - {path.name for path in paths}:
            (out / name).unlink(missing_ok=True)
        (out / LABELS_NAME).unlink(missing_ok=True)
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("file", "class_id", "label"))
        rows = zip(paths, images.pixels, images.labels.tolist(), strict=True)
        for path, pixels, class_id in rows:
            encoded, content = cv2.imencode(".png", pixels)
            if not encoded:
                raise DataError(f"{path}: OpenCV could not encode the picture")
            # Not cv2.imwrite: it cannot open every name on Windows.
            write_bytes(path, content.tobytes())
            writer.writerow((path.name, class_id, CLASS_NAMES[class_id]))
        write_text(out / LABELS_NAME, stream.getvalue())
    except OSError as error:
        raise DataError(f"cannot write to {out} ({error.strerror or error})") from error
    return paths


def _written_before(folder: Path) -> set[str]:
    """Numbered pictures that an earlier run says it wrote; a name alone proves nothing."""
    try:
        with (folder / LABELS_NAME).open(newline="", encoding="utf-8") as stream:
            listed = {row.get("file") or "" for row in csv.DictReader(stream)}
    except (OSError, UnicodeDecodeError, csv.Error):
        return set()
    return {name for name in listed if _NUMBERED.fullmatch(name)}
