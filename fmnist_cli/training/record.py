"""Run folders: how a model came to be, and the model itself; all that `export` reads.

runs/<model>/record.json          a finished run's provenance
runs/<model>/weights.safetensors  its weights (PyTorch models)
runs/<model>/model.skops          its pipeline (scikit-learn models)
runs/<model>/held.safetensors     what cross-validation said of pictures (models of pictures)
runs/<model>/pending.json         which run is to be made here, gone once finished
runs/<model>/last.safetensors     an unfinished run's whole state, gone once finished
runs/<model>/fold-N.safetensors   the same of each fold and of the fit on all pictures

There is no pickle in them, and each file is replaced in one step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError, TrainingError
from fmnist_cli.files import read_json, replace_file
from fmnist_cli.machine import Machine
from fmnist_cli.models.registry import Framework, ModelSpec

RECORD_FILE = "record.json"
WEIGHTS_FILE = "weights.safetensors"
PIPELINE_FILE = "model.skops"
LAST_FILE = "last.safetensors"
PENDING_FILE = "pending.json"
HELD_FILE = "held.safetensors"
FOLD_FILES = "fold-*.safetensors"


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
        validation_images: how many that is measured on; 0 in records that do not say so.
        temperature: fitted on the validation split; 1 where not used.
        converged: whether the optimiser stopped by itself; True where that has no meaning.
        precision: number format of a network's matrix products, or of the features that a
            classical model was fitted on.
        seconds: wall time of fitting, resumed parts included; without loading and saving.
        machine: where it ran.
        versions: of the libraries that matter.
        parents: runs this one was made from: teachers distilled, members stacked.
        class_names: label of each column.
        pictures: which it was trained with, see `TrainingData.provenance`; None without any.
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
    validation_images: int = 0
    class_names: tuple[str, ...] = CLASS_NAMES
    pictures: Mapping[str, Any] | None = None
    finished: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def to_json(self) -> str:
        """The record as indented JSON."""
        values = asdict(self) | {"machine": self.machine._asdict()}
        return json.dumps(values, indent=2) + "\n"

    @classmethod
    def read(cls, run_dir: Path) -> TrainingRecord:
        """The record of a finished run.

        Raises:
            ModelError: there is none, or it does not parse.
        """
        path = run_dir / RECORD_FILE
        try:
            values = _known(cls, read_json(path))
            values["history"] = tuple(Epoch(**_known(Epoch, line)) for line in values["history"])
            values["machine"] = Machine(**values["machine"])
            values["parents"] = tuple(values.get("parents", ()))
            values["class_names"] = tuple(values.get("class_names", CLASS_NAMES))
            return cls(**values)
        except FileNotFoundError:
            raise ModelError(
                f"no finished training run in {run_dir}; run: fmnist train {run_dir.name}"
            ) from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(
                f"cannot read the training record {path}: {error}; train the model again"
            ) from error


def _known(kind: type[Epoch | TrainingRecord], values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `kind`; records of earlier versions hold others, too."""
    return {one.name: values[one.name] for one in fields(kind) if one.name in values}


class NativeModel(Protocol):
    """A fitted model in the framework that made it."""

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, H, W] or [N, H, W, 3] → float32 [N, classes]."""


# Modules of this package with `fit`, order → fit, and `load`, which reads what a fit saved.
_FRAMEWORKS: Mapping[Framework, str] = {
    "torch": "frame_fit",
    "pictures": "picture_fit",
    "sklearn": "sklearn_fit",
    "stack": "stack_fit",
}


def framework(spec: ModelSpec) -> Any:
    """The module that fits and loads a model."""
    return import_module(f"fmnist_cli.training.{_FRAMEWORKS[spec.framework]}")


def load_native(spec: ModelSpec, run_dir: Path) -> NativeModel:
    """The fitted model of a finished run.

    Raises:
        ModelError: the folder's files are missing, damaged or of another architecture.
    """
    model: NativeModel = framework(spec).load(spec, TrainingRecord.read(run_dir), run_dir)
    return model


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any] | None = None
) -> None:
    """Write tensors, and JSON-able `state` in the file's header."""
    metadata = {"state": json.dumps(state)} if state is not None else None
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    replace_file(path, lambda partial: save_file(contiguous, partial, metadata))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file.

    Raises:
        ModelError: it is missing or not a safetensors file.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read the weights {path}: {error}; train again") from error


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of an unfinished run.

    Raises:
        TrainingError: the file is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            return load_file(path), json.loads((file.metadata() or {})["state"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise TrainingError(
            f"cannot resume from {path}: {error}; delete it and train again without --resume"
        ) from error


def save_pipeline(path: Path, pipeline: Any) -> None:
    """Write a fitted scikit-learn pipeline with skops."""
    from skops.io import dump

    replace_file(path, lambda partial: dump(pipeline, partial))


def load_pipeline(path: Path, trusted: Sequence[str]) -> Any:
    """A fitted scikit-learn pipeline.

    Args:
        trusted: types allowed besides those that skops knows to be harmless; no file can
            name code of its choice.

    Raises:
        ModelError: the file is missing, damaged, or holds types outside the allow-list.
    """
    from zipfile import BadZipFile

    from skops.io import load
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        pipeline = load(path, trusted=list(trusted))
        _check_trees(pipeline)
    except UntrustedTypesFoundException as error:
        raise ModelError(f"{path} holds types that fmnist does not load: {error}") from error
    except (OSError, BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"cannot read the model {path}: {error}; train again") from error
    return pipeline


def _check_trees(pipeline: Any) -> None:
    """Refuse trees whose indices lead outside their arrays: predicting would read there."""
    for member in getattr(pipeline[-1], "estimators_", []):
        tree = member.tree_
        inner = tree.children_left != -1
        children = np.concatenate([tree.children_left[inner], tree.children_right[inner]])
        # Children come after their parents, which also rules out cycles.
        parents = np.tile(np.flatnonzero(inner), 2)
        features = tree.feature[inner]
        if not (
            (children > parents).all()
            and (children < tree.node_count).all()
            and (features >= 0).all()
            and (features < tree.n_features).all()
        ):
            raise ValueError("a tree's indices are out of range")
