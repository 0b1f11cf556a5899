"""Labelled pictures, read and preprocessed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import InputSpec, Pixels, Prediction, Rejected
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.errors import DataError
from fmnist_cli.labelled.source import FolderClasses, Labelled
from fmnist_cli.machine import available_cores
from fmnist_cli.preprocess.pipeline import Framer, Prepared, frames_of
from fmnist_cli.preprocess.resize import resize

Members = npt.NDArray[np.intp]  # [N], the class of each picture
Truth = npt.NDArray[np.bool_]  # [N, classes + 1], what is right; the last is none of the classes

_REJECTED_SHOWN = 20


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPictures:
    """Prepared pictures and the label of each; in class folders that is the folder.

    Attributes:
        labelled: where they are.
        spec: what the model wants that they were prepared for.
        mode: how they were prepared; one of `fmnist_cli.preprocess.MODES`.
        folders: the labels, sorted; also those of which nothing can be read.
        pixels: uint8 [N, *spec.shape], as the model sees the pictures; none where they were let go.
        members: intp [N], the label of each, an index into `folders`.
        paths: of each.
        prepared: the preparation that made each.
        rejected: what could not be read, or lies in no class folder, with the reason.
    """

    labelled: Labelled
    spec: InputSpec
    mode: str
    folders: tuple[str, ...]
    pixels: Pixels
    members: Members
    paths: tuple[str, ...]
    prepared: tuple[str, ...]
    rejected: tuple[Rejected, ...]

    def __len__(self) -> int:
        return len(self.members)

    @classmethod
    def read(
        cls,
        labelled: Labelled,
        spec: InputSpec,
        mode: str = "auto",
        *,
        workers: int | None = None,
        engine: str | None = None,
        advance: Callable[[int], object] = lambda _count: None,
    ) -> LabelledPictures:
        """Read and prepare pictures.

        Args:
            workers: as many as there are cores by default.
            engine: what these are; by default processes where forking is safe.

        Raises:
            DataError: there are none that can be read.
        """
        with libraries_quiet():
            results = frames_of(
                labelled.items,
                Framer(spec, mode),
                workers=workers or available_cores(),
                engine=engine,
                advance=advance,
            )
        return cls.of(labelled, spec, mode, results)

    @classmethod
    def of(
        cls,
        labelled: Labelled,
        spec: InputSpec,
        mode: str,
        results: Sequence[Prepared | Prediction | Rejected],
    ) -> LabelledPictures:
        """Pictures that were read, with their pixels where `results` have them.

        Raises:
            DataError: none has a label and could be read.
        """
        good = [r for r in results if not isinstance(r, Rejected)]
        outside = [r for r in good if labelled.label(r.path) is None]
        rejected = [r for r in results if isinstance(r, Rejected)]
        rejected += [Rejected(r.path, "lies in no class folder") for r in outside]
        good = [r for r in good if labelled.label(r.path) is not None]
        if not good:
            why = f"; {len(rejected):,} files were rejected, such as" if rejected else ""
            example = f" {rejected[0].path}: {rejected[0].error}" if rejected else ""
            raise DataError(
                f"{labelled.name} has no class folders with pictures in them, as in"
                f" {labelled.name}/dress/picture.jpg{why}{example}"
            )
        owners = [labelled.label(r.path) for r in results]
        folders = tuple(sorted({owner for owner in owners if owner is not None}))
        position = {name: at for at, name in enumerate(folders)}
        pixels = [r.pixels for r in good if isinstance(r, Prepared)]
        return cls(
            labelled=labelled,
            spec=spec,
            mode=mode,
            folders=folders,
            pixels=np.stack(pixels) if pixels else np.empty((0, *spec.shape), np.uint8),
            members=np.array([position[labelled.label(r.path) or ""] for r in good], np.intp),
            paths=tuple(r.path for r in good),
            prepared=tuple(r.prepared for r in good),
            rejected=tuple(rejected),
        )

    def truth(self, classes: FolderClasses) -> Truth:
        """What is right of each picture, by what its folder means."""
        table = np.zeros((len(self.folders), len(classes.class_names) + 1), np.bool_)
        for row, folder in zip(table, self.folders, strict=True):
            row[list(classes.columns[folder]) or -1] = True
        return table[self.members]

    def seen(self, spec: InputSpec, chosen: npt.NDArray[Any]) -> Pixels:
        """Some of them at the size of `spec`, by position or mask: uint8 [M, *spec.shape]."""
        return np.stack([resize(one, spec.width, spec.height) for one in self.pixels[chosen]])

    def told(self) -> list[str]:
        """What was read, in lines for a person."""
        lines = [f"{len(self):,} pictures in {len(self.folders)} folders"]
        lines += [f"left out: {words}" for words in self.labelled.left_out]
        lines += [f"left out: {row.path}: {row.error}" for row in self.rejected[:_REJECTED_SHOWN]]
        if (more := len(self.rejected) - _REJECTED_SHOWN) > 0:
            lines.append(f"left out: {more:,} more")
        return lines


def folds_of(members: Members, most: int, seed: int = 0) -> Members:
    """The fold of each picture, intp [N]; every class is divided evenly, if it can be.

    There are fewer than `most` where a class has fewer pictures.
    """
    generator = np.random.default_rng(seed)
    count = min(most, int(np.bincount(members).min()))
    result = np.empty(len(members), np.intp)
    for one in range(int(members.max()) + 1):
        own = generator.permutation(np.flatnonzero(members == one))
        result[own] = np.arange(len(own)) % count
    return result
