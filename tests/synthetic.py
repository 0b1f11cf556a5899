"""Small learnable data for the tests of training and export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from idxfiles import write_idx

from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import FILES
from fmnist_cli.training.job import TrainingData


def images(count: int, seed: int = 0) -> LabelledImages:
    """Ten classes told apart by where a bright block sits, under noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    pixels = rng.integers(0, 90, (count, 28, 28))
    for index, label in enumerate(labels):
        top, left = 4 + 11 * (label // 5), 1 + 5 * (label % 5)
        pixels[index, top : top + 9, left : left + 5] += 150
    return LabelledImages(pixels.astype(np.uint8), labels.astype(np.int64))


def write_files(folder: Path, train: int, test: int) -> Path:
    """The four files of the data set in `folder`, with so many of `images`."""
    parts = (images(train, 1), images(test, 2))
    for pixels, labels, part in zip(FILES[::2], FILES[1::2], parts, strict=True):
        write_idx(folder / pixels.name, part.pixels)
        write_idx(folder / labels.name, part.labels.astype(np.uint8))
    return folder


def data(train: int = 200, validation: int = 100) -> TrainingData:
    """Splits of `images`."""
    return TrainingData(images(train, 1), images(validation, 2), checksum="synthetic")
