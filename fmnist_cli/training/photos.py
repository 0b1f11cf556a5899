"""Labelled photos to train on: prepared frames, the classes that are right, and a held-out part.

Partial labels: where several classes are right (a folder of shoes), training asks for any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import CLASS_NAMES, Labels, Pixels, Probabilities
from fmnist_cli.data.classes import Meanings, resolve
from fmnist_cli.data.dataset import LabelledImages, split_indices
from fmnist_cli.errors import DataError
from fmnist_cli.evaluate.folders import Allowed, allowed_of, is_right, macro, recalls
from fmnist_cli.labelled.folders import LabelledFolders, read_folders
from fmnist_cli.prepare import Isolate
from fmnist_cli.runtime.sources import open_source

_LEFT_OUT_SHOWN = 20
_VIEWS = 25  # frames of each photo, all but the first of the photo varied
_MOST_FRAMES = 100_000  # of all photos, which stay in memory; fewer views of very many
FEWEST = 5  # photos of a new class: fewer can neither be learnt nor held out nor cross-validated


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Prepared photos.

    Attributes:
        views: uint8 [N, views, 28, 28], the frame of each photo, then others of it varied.
        allowed: bool [N, classes], the classes that are right; at least one.
        members: intp [N], the folder of each.
    """

    views: Pixels
    allowed: Allowed
    members: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def pixels(self) -> Pixels:
        """uint8 [N, 28, 28], as the models see the photos."""
        return self.views[:, 0]

    def part(self, chosen: npt.NDArray[Any]) -> Photos:
        """Some of them, by position or mask."""
        return Photos(self.views[chosen], self.allowed[chosen], self.members[chosen])

    def single(self) -> LabelledImages:
        """Those of which one class alone is right, as images with labels."""
        one = self.part(self.allowed.sum(axis=1) == 1)
        return LabelledImages(one.pixels, one.allowed.argmax(axis=1).astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPhotos:
    """Photos that a run is fitted on, and photos that it is judged by.

    Attributes:
        fitted: to learn from.
        held: held out, in the same proportions.
        folders: names of all folders, which `Photos.members` counts.
        class_names: of the columns, Fashion-MNIST's ten first unless `only`.
        only: whether Fashion-MNIST is left out.
        provenance: what decides the run, as JSON values; goes into its record.
        left_out: what cannot be learnt from, in words: folders without a class, unreadable files.
    """

    fitted: Photos
    held: Photos
    folders: tuple[str, ...]
    class_names: tuple[str, ...]
    only: bool
    provenance: Mapping[str, Any]
    left_out: tuple[str, ...] = ()

    @classmethod
    def read(
        cls,
        root: Path,
        meanings: Meanings | None = None,
        mode: str = "auto",
        isolate: Isolate | None = None,
        *,
        only: bool = False,
        seed: int = 0,
        advance: Callable[[int], object] = lambda _count: None,
    ) -> TrainingPhotos:
        """Read, prepare and divide ``root/<class folder>/**/picture``.

        Args:
            root: the folder.
            meanings: what its folders mean; None for their own names.
            mode: how to prepare them.
            isolate: finds garments in photos.
            only: whether their classes are all that is learnt.
            seed: of the division; the same photos and seed give the same parts.
            advance: told how many more are read.

        Raises:
            UsageError, DataError: as `read_folders` and `divide`.
        """
        count = sum(1 for _ in open_source(root)) if root.exists() else 0
        views = 1 if only else max(1, min(_VIEWS, _MOST_FRAMES // max(count, 1)))
        found = read_folders(root, mode, isolate, views=views, advance=advance)
        return cls.divide(found, meanings, only=only, seed=seed)

    @classmethod
    def divide(
        cls,
        found: LabelledFolders,
        meanings: Meanings | None = None,
        *,
        only: bool = False,
        seed: int = 0,
    ) -> TrainingPhotos:
        """Give prepared photos their classes, and hold one in twelve of each folder out.

        Raises:
            DataError: a folder has no class, or a new class too few photos.
        """
        known = () if only else CLASS_NAMES
        several = [folder for folder, names in (meanings or {}).items() if len(names) > 1]
        if only and meanings:  # classes of one's own have no need of "any of"
            meanings = {**meanings, **dict.fromkeys(several, ())}
        classes = resolve(found.folders, known, meanings, keep_new=True, source=str(found.root))
        columns = [classes.columns[folder] for folder in found.folders]
        allowed = allowed_of(found.members, columns, len(classes.class_names))
        usable = allowed.sum(axis=1) > 0
        photos = Photos(found.views, allowed, found.members).part(usable)
        _check_enough(photos, classes.class_names, found, known)
        fitted, held = split_indices(photos.members.astype(np.int64), seed)
        counts = np.bincount(found.members[~usable], minlength=len(found.folders))
        left_out = [
            f"{count:,} photos of {folder}, which"
            + (" may be one of several classes" if folder in several else " is no class")
            for folder, count in zip(found.folders, counts.tolist(), strict=True)
            if count
        ]
        left_out += [f"{row.path}: {row.error}" for row in found.rejected]
        return cls(
            fitted=photos.part(fitted),
            held=photos.part(held),
            folders=found.folders,
            class_names=classes.class_names,
            only=only,
            provenance={
                "sha256": _checksum(found, classes.columns, classes.class_names),
                "fitted": len(fitted),
                "held_out": len(held),
                "views": photos.views.shape[1],
                "prepare": found.mode,
                "only": only,
                "folders": {
                    folder: [classes.class_names[column] for column in right]
                    for folder, right in classes.columns.items()
                },
            },
            left_out=tuple(left_out),
        )

    def told(self) -> list[str]:
        """What was made of the photos, in lines for a person."""
        views = self.fitted.views.shape[1]
        seen = f" (networks: photos in {views} views each)" if views > 1 else ""
        lines = [f"{len(self.fitted):,} photos to learn from{seen}, {len(self.held):,} held out"]
        new = self.class_names[len(CLASS_NAMES) :]
        if self.only:
            lines.append(f"classes: {', '.join(self.class_names)}")
        elif new:
            lines.append(f"classes that Fashion-MNIST does not have: {', '.join(new)}")
        shown = self.left_out[:_LEFT_OUT_SHOWN]
        lines += [f"left out: {words}" for words in shown]
        if more := len(self.left_out) - len(shown):
            lines.append(f"left out: {more:,} more")
        return lines

    def measure(self, probabilities: Probabilities) -> dict[str, Any]:
        """How good what a model says of the held-out photos is, as JSON values.

        Args:
            probabilities: float32 [N, classes] of `held`.
        """
        right = is_right(probabilities.argmax(axis=1), self.held.allowed)
        by_folder = recalls(right, self.held.members, self.folders)
        return {
            "images": len(self.held),
            "accuracy": float(right.mean()) if len(right) else 0.0,
            "macro_accuracy": macro(by_folder),
            "folders": dict(by_folder),
        }


def as_images(labels: Sequence[LabelledImages]) -> LabelledImages:
    """Several sets of images as one; positions in a file are forgotten."""
    pixels = np.concatenate([part.pixels for part in labels])
    joined: Labels = np.concatenate([part.labels for part in labels])
    return LabelledImages(pixels, joined)


def _check_enough(
    photos: Photos, class_names: Sequence[str], found: LabelledFolders, known: Sequence[str]
) -> None:
    """Whether every new class can be learnt.

    Raises:
        DataError: it cannot.
    """
    counts = np.bincount(photos.single().labels, minlength=len(class_names))
    for name, count in list(zip(class_names, counts.tolist(), strict=True))[len(known) :]:
        if count < FEWEST:
            raise DataError(
                f"{found.root}: {count} photos are labelled {name} alone; a new class needs at"
                f" least {FEWEST}"
            )
    if len(class_names) < 2 or not len(photos):
        raise DataError(
            f"{found.root}: there is nothing to tell apart; two classes with photos are needed"
        )


def _checksum(
    found: LabelledFolders, columns: Mapping[str, Sequence[int]], class_names: Sequence[str]
) -> str:
    """SHA-256 over names, frames and classes: what is learnt from, and nothing else."""
    digest = hashlib.sha256(repr((dict(columns), tuple(class_names))).encode())
    for path, pixels in zip(found.paths, found.views, strict=True):
        digest.update(path.encode("utf-8", "surrogateescape") + b"\0")
        digest.update(pixels.tobytes())
    return digest.hexdigest()
