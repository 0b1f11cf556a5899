"""The whole data set, in the order of its files, and what a split calls each image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.data.dataset import LabelledImages, load_split, split_indices
from fmnist_cli.data.fashion_mnist import Split, data_checksum, find_data_dir


@dataclass(frozen=True, slots=True, eq=False)
class AuditData:
    """The official training and test files, undivided.

    Attributes:
        train: the official training file, in its order.
        test: the official test file, in its order.
        checksum: MD5 of the training images file.
    """

    train: LabelledImages
    test: LabelledImages
    checksum: str

    @classmethod
    def load(cls, data_dir: Path | None = None) -> AuditData:
        """Read both files.

        Raises:
            DataError: one is not found or damaged.
        """
        folder = find_data_dir(data_dir)
        parts = (load_split("train", folder), load_split("validation", folder))
        return cls(_joined(*parts), load_split("test", folder), data_checksum(folder))

    @property
    def pixels(self) -> Pixels:
        """uint8 [N, 28, 28]: the training images, then the test images."""
        return np.concatenate((self.train.pixels, self.test.pixels))

    @property
    def labels(self) -> Labels:
        """int64 [N], in the same order."""
        return np.concatenate((self.train.labels, self.test.labels))

    def places(self) -> list[tuple[Split, int]]:
        """The split and the position in its official file of each image, in the same order."""
        _, held_out = split_indices(self.train.labels)
        names: list[Split] = ["train"] * len(self.train)
        for position in held_out.tolist():
            names[position] = "validation"
        places = [(name, position) for position, name in enumerate(names)]
        return places + [("test", position) for position in range(len(self.test))]


def _joined(train: LabelledImages, validation: LabelledImages) -> LabelledImages:
    """Both splits of a file as one, in the order of the file."""
    assert train.positions is not None  # noqa: S101  both are from files
    assert validation.positions is not None  # noqa: S101
    positions = np.concatenate((train.positions, validation.positions))
    order = np.argsort(positions)
    return LabelledImages(
        np.concatenate((train.pixels, validation.pixels))[order],
        np.concatenate((train.labels, validation.labels))[order],
        positions[order],
    )
