"""Run folders: weights and state without pickle, each file replaced in one step.

runs/<model>/record.json          a finished run's provenance
runs/<model>/weights.safetensors  its weights (PyTorch models)
runs/<model>/model.skops          its pipeline (scikit-learn models)
runs/<model>/pending.json         which run is to be made here, gone once finished
runs/<model>/held.safetensors     what cross-validation said of pictures (models of pictures)
runs/<model>/fold-N.safetensors   as last.safetensors, of each fold and of the fit on all pictures
runs/<model>/last.safetensors     an unfinished run's whole state, gone once finished
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from fmnist_cli.errors import ModelError, TrainingError
from fmnist_cli.files import replace_file

WEIGHTS_FILE = "weights.safetensors"
PIPELINE_FILE = "model.skops"
LAST_FILE = "last.safetensors"
PENDING_FILE = "pending.json"
HELD_FILE = "held.safetensors"
FOLD_FILES = "fold-*.safetensors"


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
