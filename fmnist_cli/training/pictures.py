"""Labelled pictures to train a colour model on: pixels, the classes that are right, folds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.data.classes import Meanings, resolve
from fmnist_cli.errors import DataError
from fmnist_cli.labelled.folders import read_folders
from fmnist_cli.preprocess.resize import resize

FEWEST = 5  # pictures of a folder: fewer cannot be divided
MARGIN = 9 / 7  # pictures are kept so much larger than a network's input, to be turned and cut
_LEFT_OUT_SHOWN = 20

Truth = npt.NDArray[np.bool_]  # [N, classes + 1], what is right; the last is none of the classes


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPictures:
    """Pictures with what is right of them.

    Attributes:
        pixels: uint8 [N, H, W, 3].
        truth: bool [N, classes + 1]; the last column is none of the classes.
        members: intp [N], the folder of each.
        folders: names of the folders.
        class_names: of the columns but the last.
        provenance: what decides a run, as JSON values; goes into its record.
        left_out: what could not be read, in words.
    """

    pixels: Pixels
    truth: Truth
    members: npt.NDArray[np.intp]
    folders: tuple[str, ...]
    class_names: tuple[str, ...]
    provenance: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.members)

    @classmethod
    def read(
        cls,
        root: Path,
        spec: InputSpec,
        class_names: Sequence[str],
        meanings: Meanings | None = None,
        advance: Callable[[int], object] = lambda _count: None,
    ) -> LabelledPictures:
        """Read ``root/<class folder>/**/picture``.

        Args:
            root: a folder, or an archive whose topmost folders are the classes.
            spec: how large and how made.
            class_names: of the model.
            meanings: what the folders mean; None for their own names.
            advance: told how many more are read.

        Raises:
            UsageError, DataError: there is no such folder, a folder means no class or holds too
                few pictures.
        """
        found = read_folders(root, spec, advance=advance)
        columns = resolve(found.folders, class_names, meanings, source=str(root)).columns
        counts = np.bincount(found.members, minlength=len(found.folders))
        for folder, count in zip(found.folders, counts.tolist(), strict=True):
            if count < FEWEST:
                raise DataError(
                    f"{root / folder} holds {count} pictures that can be read; at least {FEWEST}"
                    " are needed to learn what it shows"
                )
        right = np.zeros((len(found.folders), len(class_names) + 1), np.bool_)
        for row, folder in enumerate(found.folders):
            right[row, list(columns[folder]) or [-1]] = True
        digest = hashlib.sha256(repr((dict(columns), tuple(class_names))).encode())
        for path, pixels in zip(found.paths, found.pixels, strict=True):
            digest.update(path.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(pixels.tobytes())
        named = {folder: [class_names[c] for c in columns[folder]] for folder in found.folders}
        return cls(
            found.pixels,
            right[found.members],
            found.members,
            found.folders,
            tuple(class_names),
            {"sha256": digest.hexdigest(), "pictures": len(found), "folders": named},
            tuple(f"{row.path}: {row.error}" for row in found.rejected),
        )

    def told(self) -> list[str]:
        """What was read, in lines for a person."""
        lines = [f"{len(self):,} pictures in {len(self.folders)} folders"]
        lines += [f"left out: {words}" for words in self.left_out[:_LEFT_OUT_SHOWN]]
        if (more := len(self.left_out) - _LEFT_OUT_SHOWN) > 0:
            lines.append(f"left out: {more:,} more")
        return lines

    def seen(self, spec: InputSpec, chosen: npt.NDArray[Any]) -> Pixels:
        """Some of them as the network gets them in use, by position or mask: uint8 [M, H, W, 3]."""
        return np.stack([resize(one, spec.width, spec.height) for one in self.pixels[chosen]])

    def folds(self, count: int, seed: int) -> npt.NDArray[np.intp]:
        """A fold for each picture, intp [N]; every folder is divided evenly."""
        generator = np.random.default_rng(seed)
        result = np.empty(len(self), np.intp)
        for folder in range(len(self.folders)):
            members = generator.permutation(np.flatnonzero(self.members == folder))
            result[members] = np.arange(len(members)) % count
        return result


def enlarged(spec: InputSpec) -> InputSpec:
    """What pictures are kept as, to be seen through `spec`: larger by `MARGIN`."""
    return spec._replace(height=round(spec.height * MARGIN), width=round(spec.width * MARGIN))
