"""The training record: how a model came to be, as JSON beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError
from fmnist_cli.machine import Machine

RECORD_FILE = "record.json"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the learning curves. Losses are cross-entropies, accuracies 0 to 1.

    Of a network, training figures are running means over augmented batches while the
    weights move; validation figures belong to the averaged weights after the epoch. Of a
    classical model, training figures are those of the first 5,000 training images. Of a model of
    pictures there are no validation figures: it sees all, and is judged by cross-validation.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """Provenance of a finished run.

    Attributes:
        model: registry name.
        preset: preset it was trained with.
        seed: seed of initialisation, order, augmentation and folds.
        recipe: the hyperparameters, as plain data.
        data_checksum: MD5 of the training images file.
        split_seed: seed of the train / validation split.
        train_images: number of images fitted on.
        best_epoch: epoch whose weights were kept, 1-based; 0 for models without epochs.
        history: learning curves; one entry for models without epochs.
        validation_accuracy: of the finished model, on the validation split; by cross-validation
            over the pictures of a model of pictures.
        validation_loss: cross-entropy of the same.
        temperature: fitted on the validation split; 1 where not used.
        converged: whether the optimiser stopped by itself; True where that has no meaning.
        precision: number format of a network's matrix products, or of the features that a
            classical model was fitted on.
        seconds: wall time of fitting, resumed parts included; without loading and saving.
        machine: where it ran.
        versions: of the libraries that matter.
        parents: runs this one was made from: teachers distilled, members stacked.
        class_names: label of each column.
        pictures: which it was trained with, see `LabelledPictures.provenance`; None without any.
        finished: UTC time, ISO 8601.
    """

    model: str
    preset: str
    seed: int
    recipe: Mapping[str, Any]
    data_checksum: str
    split_seed: int
    train_images: int
    best_epoch: int
    history: tuple[Epoch, ...]
    validation_accuracy: float
    validation_loss: float
    temperature: float
    converged: bool
    precision: str
    seconds: float
    machine: Machine
    versions: Mapping[str, str]
    parents: tuple[Mapping[str, Any], ...] = ()
    class_names: tuple[str, ...] = CLASS_NAMES
    pictures: Mapping[str, Any] | None = None
    finished: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_json(self) -> str:
        """The record as indented JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, run_dir: Path) -> TrainingRecord:
        """The record of a finished run.

        Raises:
            ModelError: there is none, or it does not parse.
        """
        path = run_dir / RECORD_FILE
        try:
            values = _known(cls, json.loads(path.read_text(encoding="utf-8")))
            values["history"] = tuple(Epoch(**_known(Epoch, line)) for line in values["history"])
            values["machine"] = Machine(**values["machine"])
            values["parents"] = tuple(values.get("parents", ()))
            values["class_names"] = tuple(values.get("class_names", CLASS_NAMES))
            return cls(**values)
        except FileNotFoundError:
            raise ModelError(
                f"no finished training run in {run_dir}; run: fmnist train {run_dir.name}"
            ) from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ModelError(
                f"cannot read the training record {path}: {error}; train the model again"
            ) from error


def _known(kind: type[Epoch | TrainingRecord], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `kind`; records of earlier versions hold others, too."""
    return {one.name: values[one.name] for one in fields(kind) if one.name in values}
