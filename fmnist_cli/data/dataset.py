"""The data set in memory: train, validation and test as uint8 pixels and integer labels.

Train and validation are a stratified split of the official training files; the official test
files are read for ``"test"`` alone.

The files are IDX, the format of the MNIST family: two zero bytes, a type code, the number of axes,
each axis as a big-endian uint32, then the values. They are plain or gzip; which one is told by
their first bytes, not by their name.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.data.fashion_mnist import (
    CLASS_NAMES,
    SIDE,
    Split,
    files_of,
    find_data_dir,
    require,
)
from fmnist_cli.errors import DataError

SPLIT_SEED = 0
_VALIDATION_SHARE = 12  # one in twelve: 5,000 of 60,000

_BYTES = 0x08  # the type code of what MNIST's family holds
_GZIP_MAGIC = b"\x1f\x8b"
_MOST = 1 << 30  # bytes; the largest of this family have half of that
_REFETCH = "Delete the file and run: fmnist data download"


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Images with their classes.

    Attributes:
        pixels: uint8 ``[N, 28, 28]``, read-only.
        labels: int64 ``[N]``, 0 to 9, read-only.
        positions: intp ``[N]``, where each image is in the official file, from 0; None where
            the images are from no file.
    """

    pixels: Pixels
    labels: Labels
    positions: npt.NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, Any]:
        """How many there are, in all and of each class, as JSON values."""
        classes = np.bincount(self.labels, minlength=len(CLASS_NAMES)).tolist()
        return {"images": len(self), "classes": dict(zip(CLASS_NAMES, classes, strict=True))}


def load_split(split: Split, data_dir: Path | None = None) -> LabelledImages:
    """One split, in the order of its file.

    Args:
        split: ``"train"`` and ``"validation"`` share the official training files (55,000 and
            5,000 images); ``"test"`` is the official test files (10,000).
        data_dir: where the files are; see `find_data_dir` for the places without it.

    Raises:
        DataError: files are missing, corrupt, or no 28x28 images with labels 0 to 9.
    """
    if split not in ("train", "validation", "test"):
        raise ValueError(f"unknown split {split!r}")
    images = load_file(split, data_dir)
    if split == "test":
        return images
    train, validation = split_indices(images.labels)
    chosen = train if split == "train" else validation
    pixels, labels = _frozen(images.pixels[chosen]), _frozen(images.labels[chosen])
    return LabelledImages(pixels, labels, _frozen(chosen))


def load_file(split: Split, data_dir: Path | None = None) -> LabelledImages:
    """All images of the official files that a split is from; see `load_split`."""
    folder = find_data_dir(data_dir, split=split)
    images_file, labels_file = files_of(split)
    images_path, labels_path = require(folder, images_file), require(folder, labels_file)
    labels = _read_labels(labels_path)
    pixels = _read_pixels(images_path)
    if len(pixels) != len(labels):
        raise DataError(
            f"{images_path} holds {len(pixels):,} images, but {labels_path.name} holds "
            f"{len(labels):,} labels; the files do not belong together. "
            "Delete both and run: fmnist data download"
        )
    return LabelledImages(pixels, labels, _frozen(np.arange(len(labels))))


def split_indices(
    labels: Labels, seed: int = SPLIT_SEED
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Stratified positions for train and validation.

    Of each class one image in twelve, rounded, is for validation: 500 of 6,000 in the official
    data. A class of two or more images has at least one on each side.

    Args:
        labels: int64 ``[N]``.
        seed: the same seed gives the same split on every platform and numpy version.

    Returns:
        Two ascending position arrays; together they cover ``0 … N-1`` once.
    """
    # Raw generator output is what numpy promises to keep; the order of `permutation` is not.
    keys = np.random.PCG64(seed).random_raw(len(labels))
    held_out = np.zeros(len(labels), dtype=bool)
    for class_id in np.unique(labels):
        members = np.flatnonzero(labels == class_id)
        rounded = (len(members) + _VALIDATION_SHARE // 2) // _VALIDATION_SHARE
        count = max(1, rounded) if len(members) > 1 else 0
        held_out[members[np.argsort(keys[members], kind="stable")[:count]]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _read_pixels(path: Path) -> Pixels:
    pixels = read_idx(path, axes=3)
    if pixels.shape[1:] != (SIDE, SIDE):
        height, width = pixels.shape[1:]
        raise DataError(
            f"{path}: holds images of {width}x{height} pixels where {SIDE}x{SIDE} are needed"
        )
    return pixels


def _read_labels(path: Path) -> Labels:
    labels = read_idx(path, axes=1)
    if labels.size and labels.max() >= len(CLASS_NAMES):
        raise DataError(
            f"{path}: holds the label {labels.max()}, but classes go from 0 to "
            f"{len(CLASS_NAMES) - 1}; this is another data set"
        )
    return _frozen(labels.astype(np.int64))


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, made read-only, so that no caller alters what others see."""
    array.setflags(write=False)
    return array


def read_idx(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """The bytes in an IDX file, plain or gzip.

    Args:
        axes: how many it must have: three of images, one of labels.

    Returns:
        A read-only array of the shape that the header states.

    Raises:
        DataError: the file is missing, is no IDX file of bytes with so many axes, is truncated or
            corrupt, or has bytes after its end.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not packed:
                return _read(path, raw, axes)
            with gzip.GzipFile(fileobj=raw, mode="rb") as stream:
                return _read(path, stream, axes)
    # BadGzipFile is an OSError, so it has to be told apart first.
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip data is corrupt ({error}). {_REFETCH}") from error
    except EOFError as error:
        raise DataError(f"{path}: the gzip data ends too early. {_REFETCH}") from error
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Run: fmnist data download") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read(path: Path, stream: IO[bytes] | gzip.GzipFile, axes: int) -> npt.NDArray[np.uint8]:
    """Header and values of an open IDX file; gzip errors pass through."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise DataError(f"{path}: too short to be an IDX file. {_REFETCH}")
    zeros, code, found = struct.unpack(">HBB", magic)
    if zeros:
        raise DataError(f"{path}: not an IDX file (it begins with {magic.hex(' ')}). {_REFETCH}")
    if code != _BYTES:
        raise DataError(
            f"{path}: holds values of type 0x{code:02x} where bytes, type 0x08, are needed;"
            f" this is another file than its name says. {_REFETCH}"
        )
    if found != axes:
        raise DataError(
            f"{path}: holds an array of {found} axes where {axes} are needed;"
            f" images and labels may be swapped. {_REFETCH}"
        )
    sizes = stream.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise DataError(f"{path}: truncated within the header. {_REFETCH}")
    shape = struct.unpack(f">{axes}I", sizes)
    expected = math.prod(shape)
    if max(expected, *shape) > _MOST:
        raise DataError(
            f"{path}: announces {expected:,} bytes, of shape {shape}, which is too much. {_REFETCH}"
        )
    # One byte more than expected: it shows trailing bytes, and makes gzip check its CRC.
    payload = stream.read(expected + 1)
    if len(payload) < expected:
        raise DataError(
            f"{path}: truncated, {len(payload):,} of {expected:,} bytes of values are there. "
            + _REFETCH
        )
    if len(payload) > expected:
        raise DataError(
            f"{path}: has bytes after the {expected:,} that its header {shape} announces. "
            + _REFETCH
        )
    return np.frombuffer(payload, np.uint8).reshape(shape)  # bytes, so it is read-only
