"""The labels of the data set, what models say of them, and which ones are hard to believe.

Confident learning after Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty
in Dataset Labels", Journal of Artificial Intelligence Research 70, 2021.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages, load_file, split_indices
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, Split, data_checksum, find_data_dir
from fmnist_cli.errors import DataError
from fmnist_cli.files import replace_file

Counts = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]


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
        train, test = load_file("train", folder), load_file("test", folder)
        return cls(train, test, data_checksum(folder))

    @property
    def pixels(self) -> Pixels:
        """uint8 [N, 28, 28]: the training images, then the test images."""
        return np.concatenate((self.train.pixels, self.test.pixels))

    def places(self) -> list[tuple[int, Split, int, int]]:
        """Position, split, position in its official file, and label of each, in the same order."""
        _, held_out = split_indices(self.train.labels)
        names: list[Split] = ["train"] * len(self.train)
        for position in held_out.tolist():
            names[position] = "validation"
        names += ["test"] * len(self.test)
        indices = [*range(len(self.train)), *range(len(self.test))]
        labels = np.concatenate((self.train.labels, self.test.labels)).tolist()
        return list(zip(range(len(names)), names, indices, labels, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """Probabilities by models that did not see the images, each in the order of its file.

    Attributes:
        train: float32 [N, 10], of the official training file or a part of it.
        test: float32 [M, 10], of the official test file.
    """

    train: Probabilities
    test: Probabilities

    def save(self, path: Path) -> None:
        """Write the arrays ``train`` and ``test`` as .npz, in one step."""

        def write(partial: Path) -> None:
            with partial.open("wb") as file:  # given a name, savez would append .npz to it
                np.savez(file, train=self.train, test=self.test)

        replace_file(path, write)

    @classmethod
    def read(cls, path: Path, images: tuple[int, int]) -> Judgements:
        """What `save` wrote, for so many training and test images.

        Raises:
            DataError: the file is missing, damaged, or is not about these images.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                train, test = arrays["train"], arrays["test"]
        except FileNotFoundError:
            raise DataError(f"{path}: no such file") from None
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as e:
            raise DataError(f"{path}: not an .npz file with the arrays train and test ({e})") from e
        for name, array, count in (("train", train, images[0]), ("test", test, images[1])):
            what, shape = f"{path}: {name}", (count, len(CLASS_NAMES))
            if array.shape != shape or array.dtype.kind != "f":
                raise DataError(
                    f"{what} is {array.dtype} of shape {array.shape} where float32 of shape"
                    f" {shape} is needed: a row per image of the official file, a column per class"
                )
            if not (np.all(array >= 0) and np.allclose(array.sum(axis=1), 1, atol=1e-3)):
                raise DataError(
                    f"{what} holds rows that are no probabilities: they must add up to 1"
                )
        return cls(train.astype(np.float32), test.astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class LabelQuality:
    """What confident learning says of the labels of N images in K classes.

    Attributes:
        suggested: int64 [N], the most probable class other than the label.
        self_confidence: float64 [N], the probability of the label, 0 to 1.
        margin: float64 [N], the probability of the label less that of the suggested class,
            -1 to 1; the lower, the less the label is believed.
        issue: bool [N], whether the image is counted for another class than its label, which
            is also the most probable one.
        thresholds: float64 [K], from which probability on an image counts for a class: the
            mean self-confidence of the images labelled so.
        joint: float64 [K, K], the estimated share of images by label (row) and true class
            (column); adds up to 1.
    """

    suggested: Labels
    self_confidence: npt.NDArray[np.float64]
    margin: npt.NDArray[np.float64]
    issue: npt.NDArray[np.bool_]
    thresholds: npt.NDArray[np.float64]
    joint: Matrix

    def noise(self) -> npt.NDArray[np.float64]:
        """float64 [K]: the estimated share of wrong labels among those of each class."""
        totals = self.joint.sum(axis=1)
        wrong: npt.NDArray[np.float64] = totals - np.diag(self.joint)
        np.divide(wrong, totals, out=wrong, where=totals > 0)
        return wrong


def label_quality(probabilities: Probabilities, labels: Labels) -> LabelQuality:
    """Judge labels by out-of-sample probabilities.

    Args:
        probabilities: float [N, K], each row by a model that did not see the image.
        labels: int64 [N], 0 to K-1.
    """
    wide = probabilities.astype(np.float64)
    classes = wide.shape[1]
    every = np.arange(len(labels))
    own = wide[every, labels]
    others = wide.copy()
    others[every, labels] = -np.inf
    suggested = others.argmax(axis=1)
    margin = own - wide[every, suggested]

    counts = np.bincount(labels, minlength=classes)
    # Of a class that no image has there is nothing to be as confident as.
    thresholds = np.full(classes, np.inf)
    np.divide(
        np.bincount(labels, weights=own, minlength=classes),
        counts,
        out=thresholds,
        where=counts > 0,
    )
    # Each image counts for the most probable of the classes that it is confidently in.
    confident = np.where(wide >= thresholds, wide, -np.inf)
    counted = confident.argmax(axis=1)
    counts_at_all = np.isfinite(confident.max(axis=1))
    joint = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(joint, (labels[counts_at_all], counted[counts_at_all]), 1)
    # A class with a low threshold may win over the more probable label: no reason to doubt it.
    issue = counts_at_all & (counted != labels) & (margin < 0)
    return LabelQuality(suggested, own, margin, issue, thresholds, _calibrated(joint, counts))


def _calibrated(confident_joint: Counts, counts: Counts) -> Matrix:
    """The joint distribution of labels and true classes.

    The counted images stand for all: each row is scaled to how many images have the label.
    """
    joint = confident_joint.astype(np.float64)
    rows = joint.sum(axis=1)
    # Where no image of a label was counted, its labels are taken to be right.
    empty = np.flatnonzero((rows == 0) & (counts > 0))
    joint[empty, empty] = 1.0
    rows[empty] = 1.0
    # A row that is still empty is of a class without images, and stays so.
    joint *= (counts / np.maximum(rows, 1))[:, None]
    joint /= max(1, counts.sum())
    return joint
