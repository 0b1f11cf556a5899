"""What is to be trained, and on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fmnist_cli.data.dataset import (
    SPLIT_SEED,
    LabelledImages,
    data_checksum,
    find_data_dir,
    load_split,
)
from fmnist_cli.errors import TrainingError
from fmnist_cli.models.recipes import SklearnRecipe, TorchRecipe
from fmnist_cli.models.registry import ModelSpec


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The two splits that training may see; the test split is not among them.

    Attributes:
        train: images to fit on.
        validation: images to choose and calibrate on.
        checksum: MD5 of the training images file.
        split_seed: seed of the division into the two.
    """

    train: LabelledImages
    validation: LabelledImages
    checksum: str
    split_seed: int = SPLIT_SEED

    @classmethod
    def load(cls, data_dir: Path | None = None) -> TrainingData:
        """The official training images, divided 55,000 to 5,000.

        Raises:
            DataError: they are not found or damaged.
        """
        folder = find_data_dir(data_dir)
        train, validation = load_split("train", folder), load_split("validation", folder)
        return cls(train, validation, data_checksum(folder))


@dataclass(frozen=True, slots=True)
class Job:
    """One model to train: which, how hard, and from which seed."""

    spec: ModelSpec
    preset: str
    recipe: TorchRecipe | SklearnRecipe
    seed: int

    @classmethod
    def of(cls, spec: ModelSpec, preset: str, seed: int) -> Job:
        """The job of a model's preset; imports the model's module."""
        return cls(spec, preset, spec.load().RECIPES[preset], seed)

    def identity(self, data: TrainingData) -> dict[str, Any]:
        """All that decides the result, as JSON values; what a resumed run must match."""
        return {
            "model": self.spec.name,
            "preset": self.preset,
            "seed": self.seed,
            "recipe": asdict(self.recipe),
            "data_checksum": data.checksum,
            "split_seed": data.split_seed,
        }


def check_same_run(found: Mapping[str, Any], asked: Mapping[str, Any], run_dir: Path) -> None:
    """Whether what `run_dir` holds belongs to the run that is to be resumed.

    Raises:
        TrainingError: it does not; the message names what differs.
    """
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
