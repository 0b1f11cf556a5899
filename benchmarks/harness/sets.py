"""The pictures that are timed. What has to be made is made once and kept in the work folder."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {".png", ".jpg", ".jpeg"}
LARGE_PIXELS = 12_000_000
LARGE_COUNT = 300
LARGE_QUALITY = 90


@dataclass(frozen=True, slots=True)
class Pictures:
    """A set of pictures.

    Attributes:
        name: short name in the results.
        title: name for people.
        folder: where they are.
        images: how many.
        mode: how `fmnist classify` is to prepare them.
        tune_on: the peer's number of workers is chosen on so many of them; None for all.
    """

    name: str
    title: str
    folder: Path
    images: int
    mode: str
    tune_on: int | None = None


def pictures_in(folder: Path) -> list[Path]:
    """All pictures below a folder, in a stable order."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def spread(paths: list[Path], count: int) -> list[Path]:
    """`count` of them, evenly spaced; all when there are fewer."""
    count = min(count, len(paths))
    return [paths[index * len(paths) // count] for index in range(count)]


def _made(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, made by `make` unless an earlier run has; it is whole or not there."""
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial)
        partial.rename(folder)
    return folder


def frames(work: Path, limit: int | None = None) -> Pictures:
    """The test images as PNG files."""
    from fmnist_cli.data.dataset import LabelledImages, load_split
    from fmnist_cli.data.images import write_images

    def make(folder: Path) -> None:
        test = load_split("test")
        part = LabelledImages(test.pixels[:limit], test.labels[:limit])
        write_images(part, folder, labels_csv=False)

    folder = _made(work / f"png-{limit or 'all'}", make)
    return Pictures("png", "PNGs of 28×28", folder, len(pictures_in(folder)), "frame")


def photos(source: Path, work: Path, limit: int | None = None) -> Pictures:
    """The photos in `source` as they are; with a limit, copies of some of them."""

    def make(folder: Path) -> None:
        for path in spread(pictures_in(source), limit or 0):
            shutil.copy(path, folder)

    folder = source if limit is None else _made(work / f"photos-{limit}", make)
    images = len(pictures_in(folder))
    return Pictures("photos", "photos", folder, images, "product", tune_on=200)


def large_photos(source: Path, work: Path, count: int = LARGE_COUNT) -> Pictures:
    """Some photos of `source`, scaled up to what a phone takes."""

    def make(folder: Path) -> None:
        for path in spread(pictures_in(source), count):
            enlarge(path, folder / f"{path.stem}.jpg")

    folder = _made(work / f"photos-12mp-{count}", make)
    images = len(pictures_in(folder))
    return Pictures("photos-12mp", "12-megapixel photos", folder, images, "product", tune_on=100)


def enlarge(source: Path, target: Path) -> None:
    """Write a picture again as a JPEG of about `LARGE_PIXELS`, its shape kept."""
    import cv2

    picture = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"cannot read {source.name}")
    height, width = picture.shape[:2]
    scale = math.sqrt(LARGE_PIXELS / (width * height))
    size = (round(width * scale), round(height * scale))
    large = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(target), large, [cv2.IMWRITE_JPEG_QUALITY, LARGE_QUALITY])
