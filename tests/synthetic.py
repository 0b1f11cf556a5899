"""Small learnable data for the tests of training and export."""

from __future__ import annotations

import numpy as np

from fmnist_cli.data.dataset import LabelledImages
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


def data(train: int = 200, validation: int = 100) -> TrainingData:
    """Splits of `images`."""
    return TrainingData(images(train, 1), images(validation, 2), checksum="synthetic")
