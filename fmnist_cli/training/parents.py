"""Finished runs that another run is made from: teachers to distil, members to stack."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fmnist_cli.errors import ModelError, TrainingError
from fmnist_cli.training.checkpoint import PIPELINE_FILE, WEIGHTS_FILE
from fmnist_cli.training.record import TrainingRecord

_LEFT_OUT = r", \d+ images left out \(\w+\)$"  # as TrainingData.without says it


@dataclass(frozen=True, slots=True)
class Parent:
    """A finished run.

    Attributes:
        run_dir: its folder.
        record: how it came to be.
        sha256: of its fitted model.
    """

    run_dir: Path
    record: TrainingRecord
    sha256: str

    @classmethod
    def of(cls, run_dir: Path) -> Parent:
        """The run in a folder.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        record = TrainingRecord.read(run_dir)
        for name in (WEIGHTS_FILE, PIPELINE_FILE):
            if (run_dir / name).is_file():
                content = (run_dir / name).read_bytes()
                return cls(run_dir, record, hashlib.sha256(content).hexdigest())
        raise ModelError(f"{run_dir} holds no fitted model; train {record.model} again")

    def identity(self) -> dict[str, Any]:
        """What the record of a run made from this one says of it."""
        own = self.record
        return {
            "model": own.model,
            "preset": own.preset,
            "seed": own.seed,
            "validation_accuracy": own.validation_accuracy,
            "sha256": self.sha256,
            "parents": tuple(dict(parent) for parent in own.parents),
        }

    def check_classes(self, class_names: Sequence[str]) -> None:
        """Whether what this run says can be used by a run of these classes.

        Raises:
            TrainingError: its classes are others.
        """
        own = self.record
        if own.class_names != tuple(class_names):
            raise TrainingError(
                f"{self.run_dir} knows the classes {', '.join(own.class_names)}, but here they are"
                f" {', '.join(class_names)}; train it again: fmnist train {own.model}"
            )

    def check_split(self, data_checksum: str, split_seed: int) -> None:
        """Whether this run was fitted on none of the validation images of another.

        Args:
            data_checksum: of the other run's training images.
            split_seed: of the other run's division.

        Raises:
            TrainingError: it may have seen some, so their accuracy would mean nothing.
        """
        own = self.record
        # Training images left out make no difference; a fold of an audit is other data.
        data = [re.sub(_LEFT_OUT, "", checksum) for checksum in (own.data_checksum, data_checksum)]
        if data[0] != data[1] or own.split_seed != split_seed:
            raise TrainingError(
                f"{self.run_dir} was trained on other data or another split (seed"
                f" {own.split_seed}, not {split_seed}), so it may know the validation images;"
                f" train it again: fmnist train {own.model}"
            )
