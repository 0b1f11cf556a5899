"""What models that have not seen an image say of it, and the file that keeps it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Probabilities
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import DataError
from fmnist_cli.files import replace_file


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
            _check(array, (count, len(CLASS_NAMES)), f"{path}: {name}")
        return cls(train.astype(np.float32), test.astype(np.float32))


def _check(array: npt.NDArray[Any], shape: tuple[int, int], what: str) -> None:
    """Whether an array holds one distribution per image.

    Raises:
        DataError: it does not.
    """
    if array.shape != shape or array.dtype.kind != "f":
        raise DataError(
            f"{what} is {array.dtype} of shape {array.shape} where float32 of shape {shape} is"
            " needed: a row per image of the official file, a column per class"
        )
    if not (np.all(array >= 0) and np.allclose(array.sum(axis=1), 1, atol=1e-3)):
        raise DataError(f"{what} holds rows that are no probabilities: they must add up to 1")
