"""The data set in memory: train, validation and test as uint8 pixels and integer labels.

Train and validation are a stratified split of the official training files; the official test
files are read for ``"test"`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, SIDE
from fmnist_cli.data.files import (
    FILES,
    DataFile,
    Split,
    data_checksum,
    files_of,
    find_data_dir,
    require,
)
from fmnist_cli.data.idx import read_idx
from fmnist_cli.errors import DataError

__all__ = [
    "FILES",
    "SPLIT_SEED",
    "DataFile",
    "LabelledImages",
    "Split",
    "data_checksum",
    "find_data_dir",
    "load_split",
    "split_indices",
]

SPLIT_SEED = 0
_VALIDATION_SHARE = 12  # one in twelve: 5,000 of 60,000


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


def load_split(
    split: Split, data_dir: Path | None = None, *, seed: int = SPLIT_SEED
) -> LabelledImages:
    """One split, in the order of its file.

    Args:
        split: ``"train"`` and ``"validation"`` share the official training files (55,000 and
            5,000 images); ``"test"`` is the official test files (10,000).
        data_dir: where the files are; see `find_data_dir` for the places without it.
        seed: decides which training images are for validation.

    Raises:
        DataError: files are missing, corrupt, or no 28x28 images with labels 0 to 9.

    """
    if split not in ("train", "validation", "test"):
        raise ValueError(f"unknown split {split!r}")
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
    if split == "test":
        return LabelledImages(pixels, labels, _frozen(np.arange(len(labels))))
    train, validation = split_indices(labels, seed)
    chosen = train if split == "train" else validation
    return LabelledImages(_frozen(pixels[chosen]), _frozen(labels[chosen]), _frozen(chosen))


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
    pixels: Pixels = read_idx(path, dtype=np.uint8, ndim=3)
    if pixels.shape[1:] != (SIDE, SIDE):
        height, width = pixels.shape[1:]
        raise DataError(
            f"{path}: holds images of {width}x{height} pixels where {SIDE}x{SIDE} are needed"
        )
    return pixels


def _read_labels(path: Path) -> Labels:
    labels = read_idx(path, dtype=np.uint8, ndim=1)
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
