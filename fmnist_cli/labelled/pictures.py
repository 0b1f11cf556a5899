"""Labelled pictures: a folder of folders, each a class, read and preprocessed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import InputSpec, Pixels, Rejected
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.evaluate.metrics import allowed_of
from fmnist_cli.labelled.classes import FolderClasses
from fmnist_cli.machine import available_cores
from fmnist_cli.preprocess.pipeline import Framer, Prepared, frames_of
from fmnist_cli.preprocess.resize import resize
from fmnist_cli.sources import open_source

Truth = npt.NDArray[np.bool_]  # [N, classes + 1], what is right; the last is none of the classes

_REJECTED_SHOWN = 20


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPictures:
    """Prepared pictures and the folder that each lies in.

    Attributes:
        root: where they are.
        spec: what the model wants that they were prepared for.
        mode: how they were prepared; one of `fmnist_cli.preprocess.MODES`.
        folders: names of the class folders, sorted; also those where nothing can be read.
        pixels: uint8 [N, *spec.shape], as the model sees the pictures.
        members: intp [N], the folder of each, an index into `folders`.
        paths: of each, relative to `root`.
        prepared: the preparation that made each.
        rejected: what could not be read, or lies in no class folder, with the reason.
    """

    root: Path
    spec: InputSpec
    mode: str
    folders: tuple[str, ...]
    pixels: Pixels
    members: npt.NDArray[np.intp]
    paths: tuple[str, ...]
    prepared: tuple[str, ...]
    rejected: tuple[Rejected, ...]

    def __len__(self) -> int:
        return len(self.members)

    @classmethod
    def read(
        cls,
        root: Path,
        spec: InputSpec,
        mode: str = "auto",
        *,
        workers: int | None = None,
        engine: str | None = None,
        advance: Callable[[int], object] = lambda _count: None,
    ) -> LabelledPictures:
        """Read and prepare ``root/<class folder>/**/picture``.

        Args:
            root: a folder, or an archive whose topmost folders are the classes.
            spec: what the model wants.
            mode: how to prepare them.
            workers: as many as there are cores by default.
            engine: what these are; by default processes where forking is safe.
            advance: told how many more are done.

        Raises:
            UsageError: there is no such folder.
            DataError: it has no class folders with pictures that can be read.
        """
        if not root.exists():
            raise UsageError(f"there is no folder called {str(root)!r}")
        with libraries_quiet():
            results = frames_of(
                open_source(root),
                Framer(spec, mode),
                workers=workers or available_cores(),
                engine=engine,
                advance=advance,
            )
        good = [r for r in results if isinstance(r, Prepared) and "/" in r.path]
        rejected = [r for r in results if isinstance(r, Rejected)]
        rejected += [
            Rejected(r.path, "lies in no class folder")
            for r in results
            if isinstance(r, Prepared) and "/" not in r.path
        ]
        if not good:
            why = f"; {len(rejected):,} files were rejected, such as" if rejected else ""
            example = f" {rejected[0].path}: {rejected[0].error}" if rejected else ""
            raise DataError(
                f"{root} has no class folders with pictures in them, as in"
                f" {root / 'dress' / 'picture.jpg'}{why}{example}"
            )
        folders = _folders(r.path for r in results)
        owners = [r.path.partition("/")[0] for r in good]
        position = {name: at for at, name in enumerate(folders)}
        return cls(
            root=root,
            spec=spec,
            mode=mode,
            folders=folders,
            pixels=np.stack([r.pixels for r in good]),
            members=np.array([position[owner] for owner in owners], np.intp),
            paths=tuple(r.path for r in good),
            prepared=tuple(r.prepared for r in good),
            rejected=tuple(rejected),
        )

    def truth(self, classes: FolderClasses) -> Truth:
        """What is right of each picture, by what its folder means."""
        columns = [classes.columns[folder] for folder in self.folders]
        allowed = allowed_of(self.members, columns, len(classes.class_names))
        return np.column_stack([allowed, ~allowed.any(axis=1)])

    def seen(self, spec: InputSpec, chosen: npt.NDArray[Any]) -> Pixels:
        """Some of them at the size of `spec`, by position or mask: uint8 [M, *spec.shape]."""
        return np.stack([resize(one, spec.width, spec.height) for one in self.pixels[chosen]])

    def folds(self, count: int, seed: int) -> npt.NDArray[np.intp]:
        """A fold for each picture, intp [N]; every folder is divided evenly."""
        generator = np.random.default_rng(seed)
        result = np.empty(len(self), np.intp)
        for folder in range(len(self.folders)):
            members = generator.permutation(np.flatnonzero(self.members == folder))
            result[members] = np.arange(len(members)) % count
        return result

    def told(self) -> list[str]:
        """What was read, in lines for a person."""
        lines = [f"{len(self):,} pictures in {len(self.folders)} folders"]
        lines += [f"left out: {row.path}: {row.error}" for row in self.rejected[:_REJECTED_SHOWN]]
        if (more := len(self.rejected) - _REJECTED_SHOWN) > 0:
            lines.append(f"left out: {more:,} more")
        return lines


def class_folders(root: Path) -> tuple[str, ...]:
    """Names of the folders in `root` with pictures below them, sorted; no picture is read.

    Raises:
        UsageError: there is no such folder.
    """
    if not root.exists():
        raise UsageError(f"there is no folder called {str(root)!r}")
    return _folders(item.path for item in open_source(root))


def _folders(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({path.partition("/")[0] for path in paths if "/" in path}))
