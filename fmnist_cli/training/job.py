"""What is to be trained and on what, and what comes of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmnist_cli.contract import InputSpec
from fmnist_cli.data.dataset import SPLIT_SEED, LabelledImages, load_split
from fmnist_cli.data.exclude import without
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, data_checksum, find_data_dir
from fmnist_cli.errors import DataError, TrainingError, UsageError
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import FolderClasses, open_labelled, resolve
from fmnist_cli.models.registry import ModelSpec, Recipe, StackRecipe, TorchRecipe
from fmnist_cli.training.parents import Parent, Start, Teacher
from fmnist_cli.training.picture_views import enlarged
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import RECORD_FILE, Epoch, NativeModel

FEWEST = 5  # pictures of a folder: fewer cannot be divided


@dataclass(frozen=True)
class TrainingData:
    """The two splits that training may see; the test split is not among them.

    Attributes:
        train: images to fit on.
        validation: images to choose and calibrate on.
        checksum: MD5 of the training images file.
        split_seed: seed of the division into the two.
        pictures: labelled, for a model that learns from such.
        meanings: what their folders mean.
        class_names: what is told apart.
    """

    train: LabelledImages
    validation: LabelledImages
    checksum: str
    split_seed: int = SPLIT_SEED
    pictures: LabelledPictures | None = None
    meanings: FolderClasses | None = None
    class_names: tuple[str, ...] = CLASS_NAMES

    @classmethod
    def load(cls, data_dir: Path | None = None) -> TrainingData:
        """The official training images, divided 55,000 to 5,000.

        Raises:
            DataError: they are not found or damaged.
        """
        folder = find_data_dir(data_dir)
        train, validation = load_split("train", folder), load_split("validation", folder)
        return cls(train, validation, data_checksum(folder))

    def without(self, excluded: Set[int]) -> TrainingData:
        """The same data without some training images, named by position in the official file.

        The checksum says so: a run on fewer images is another run.

        Raises:
            DataError: too few images would be left.
        """
        train = without(self.train, excluded)
        names = ",".join(map(str, sorted(excluded)))
        key = hashlib.sha256(names.encode()).hexdigest()[:8]
        left_out = f"{len(self.train) - len(train)} images left out ({key})"
        return replace(self, train=train, checksum=f"{self.checksum}, {left_out}")

    def with_pictures(
        self,
        root: Path,
        spec: InputSpec,
        advance: Callable[[int], object] = lambda _count: None,
    ) -> TrainingData:
        """The same data and labelled pictures, ``root/<class folder>/**/picture``.

        Args:
            root: a folder, or an archive whose topmost folders are the classes.
            spec: what the model wants; pictures are kept larger, to be turned and cut.
            advance: told how many more are read.

        Raises:
            UsageError, DataError: there is no such folder, a folder means no class or holds too
                few pictures.
        """
        labelled = open_labelled(root, None)
        # Before any picture is read, which takes minutes.
        found = Counter(label for item in labelled.items if (label := labelled.label(item.path)))
        classes = resolve(sorted(found), self.class_names, source=str(root))
        _check_enough(found, root)
        pictures = LabelledPictures.read(labelled, enlarged(spec), advance=advance)
        counts = np.bincount(pictures.members, minlength=len(pictures.folders)).tolist()
        _check_enough(dict(zip(pictures.folders, counts, strict=True)), root)
        return replace(self, pictures=pictures, meanings=classes)

    @cached_property
    def provenance(self) -> Mapping[str, Any] | None:
        """Which pictures there are and what they mean, as JSON values; None without any."""
        pictures, meanings = self.pictures, self.meanings
        if pictures is None or meanings is None:
            return None
        columns, names = meanings.columns, meanings.class_names
        digest = hashlib.sha256(repr((dict(columns), names)).encode())
        for path, pixels in zip(pictures.paths, pictures.pixels, strict=True):
            digest.update(path.encode("utf-8", "surrogateescape") + b"\0")
            digest.update(pixels.tobytes())
        named = {folder: [names[c] for c in columns[folder]] for folder in pictures.folders}
        return {"sha256": digest.hexdigest(), "pictures": len(pictures), "folders": named}


def _check_enough(counts: Mapping[str, int], root: Path) -> None:
    """Whether there are enough pictures of each folder.

    Raises:
        DataError: there are not.
    """
    for folder, count in counts.items():
        if count < FEWEST:
            raise DataError(
                f"{root / folder} holds {count} pictures that can be read; at least {FEWEST}"
                " are needed to learn what it shows"
            )


@dataclass(frozen=True, slots=True)
class Job:
    """One model to train: which, how hard, and from which seed.

    Attributes:
        teachers: exported models to distil, instead of the recipe's teachers; or to be the members
            of a stack.
        start: an exported network whose weights come first, instead of random ones.
    """

    spec: ModelSpec
    preset: str
    recipe: Recipe
    seed: int
    teachers: tuple[Teacher, ...] = ()
    start: Start | None = None

    @classmethod
    def of(
        cls,
        spec: ModelSpec,
        preset: str,
        seed: int,
        *,
        features: str | None = None,
        teachers: tuple[Teacher, ...] = (),
        start: Start | None = None,
    ) -> Job:
        """The job of a model's preset; imports the model's module.

        Args:
            features: what a model that can use several kinds of features shall use; None
                for the best.
            start: weights to start from; a model that usually starts from none then has a
                recipe of its own, ``FINE_TUNING``.

        Raises:
            UsageError: the model has no such features, or cannot be taught or trained on.
        """
        module = spec.load()
        recipes = module.RECIPES
        if features is not None:
            variants = getattr(module, "VARIANTS", {"pixels": recipes})
            if features not in variants:
                raise UsageError(
                    f"--features {features}: {spec.name} can use {', '.join(variants)} only"
                )
            recipes = variants[features]
        recipe = recipes[preset]
        if start is not None:
            recipe = getattr(module, "FINE_TUNING", None)
            if recipe is None:
                raise UsageError(f"--init: {spec.name} is no network and cannot be trained on")
        if teachers and isinstance(recipe, TorchRecipe):
            recipe = replace(recipe, teachers=())
        elif teachers and isinstance(recipe, StackRecipe):
            recipe = replace(recipe, members=())
        elif teachers:
            raise UsageError(f"--teacher: {spec.name} learns from labels alone")
        return cls(spec, preset, recipe, seed, teachers, start)

    def parent_dirs(self, run_dir: Path) -> tuple[Path, ...]:
        """Folders of the runs that a run in `run_dir` is made from."""
        return tuple(run_dir.parent / name for name in self.recipe.parents)

    def parents_of(self, run_dir: Path) -> list[Parent]:
        """The finished runs that a run in `run_dir` is made from.

        Raises:
            TrainingError: one is not there, or was trained under another preset.
        """
        result = []
        for folder in self.parent_dirs(run_dir):
            parent = Parent.of(folder) if (folder / RECORD_FILE).exists() else None
            preset = parent.record.preset if parent else None
            if parent is None or preset != self.preset:
                found = f"a run of preset {preset}" if parent else "no finished run"
                raise TrainingError(
                    f"{self.spec.name} is made from {folder.name} under the preset {self.preset},"
                    f" and there is {found} in {folder}; run first: fmnist train {folder.name}"
                    f" --preset {self.preset}"
                )
            result.append(parent)
        return result

    def identity(self, data: TrainingData, parents: Sequence[Parent] = ()) -> dict[str, Any]:
        """All that decides the result, as JSON values; what a resumed run must match."""
        return {
            "model": self.spec.name,
            "preset": self.preset,
            "seed": self.seed,
            "recipe": json.loads(json.dumps(asdict(self.recipe))),
            "data_checksum": data.checksum,
            "split_seed": data.split_seed,
            "parents": (
                *(parent.identity() for parent in parents),
                *(() if self.start is None else (dict(self.start.identity),)),
                *(dict(teacher.identity) for teacher in self.teachers),
            ),
            "pictures": data.provenance,
        }


@dataclass(frozen=True, slots=True)
class Order:
    """One fit: what, on which images, where, and how.

    Attributes:
        data: the images, already reduced to what the recipe asks for.
        run_dir: folder of the run, for checkpoints and to find other runs beside it.
        identity: what the run's record says of it.
        parents: finished runs to distil or stack.
    """

    job: Job
    data: TrainingData
    run_dir: Path
    identity: dict[str, Any]
    parents: Sequence[Parent]
    device: torch.device
    resume: bool
    reporter: Reporter


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model and how it got there; see `TrainingRecord` for the fields of that name.

    Attributes:
        save: writes what `load_native` reads into a run folder.
        packages: distributions whose versions decided the result.
        validation: accuracy and loss on what was held out.
        validation_images: how many these are.
    """

    native: NativeModel
    save: Callable[[Path], None]
    history: tuple[Epoch, ...]
    packages: tuple[str, ...]
    validation: tuple[float, float]
    validation_images: int
    best_epoch: int = 0
    temperature: float = 1.0
    converged: bool = True
    precision: str = "float32"


def in_order(jobs: Sequence[Job], runs_dir: Path) -> list[Job]:
    """The jobs, each after those whose runs it is made from.

    Raises:
        TrainingError: a job needs a run that is neither finished nor among the jobs.
    """
    waiting = {runs_dir / job.spec.name: job for job in jobs}
    result: list[Job] = []
    while waiting:
        for folder, job in waiting.items():
            if not any(parent in waiting for parent in job.parent_dirs(folder)):
                break
        else:
            raise TrainingError(f"runs in {runs_dir} would be made from each other")
        made = {runs_dir / earlier.spec.name for earlier in result}
        if not made.issuperset(job.parent_dirs(folder)):
            job.parents_of(folder)  # known to be missing now, not after hours
        result.append(waiting.pop(folder))
    return result


def check_same_run(found: Mapping[str, Any], asked: Mapping[str, Any], run_dir: Path) -> None:
    """Whether what `run_dir` holds belongs to the run that is to be resumed.

    Raises:
        TrainingError: it does not; the message names what differs.
    """
    found, asked = json.loads(json.dumps([found, asked]))  # a tuple equals a list, as in the file
    differing = [
        f"{key} {found.get(key)!r}, not {value!r}"
        for key, value in asked.items()
        if found.get(key) != value
    ]
    if differing:
        raise TrainingError(
            f"cannot resume: {run_dir} holds a run with {'; '.join(differing)}."
            " Give that run's options or another --runs-dir, or start anew without --resume"
        )
