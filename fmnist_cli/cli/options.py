"""Options that several commands share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.errors import MissingExtraError

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of the data files (else FMNIST_DATA_DIR, ./data/fashion-mnist, the cache).",
    ),
]
RunsDir = Annotated[
    Path, typer.Option("--runs-dir", help="Folder of training runs, one folder per model.")
]
ModelsDir = Annotated[
    Path | None,
    typer.Option(
        "--models-dir",
        help="Folder of exported models (else FMNIST_MODELS_DIR, ./exported, the shipped ones).",
    ),
]

Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="Model or .onnx file, repeatable; all by default."),
]
JsonFile = Annotated[
    str | None, typer.Option("--json", help="File for the results as JSON; - for stdout.")
]

# What the extra [train] installs and its commands import.
_TRAIN_PACKAGES = (
    *("torch", "torchvision", "sklearn", "scipy", "safetensors", "skops"),
    *("onnx", "onnxscript", "skl2onnx"),
)


def require_extra() -> None:
    """Stop with the right `pip install` when a package of the extra [train] is missing.

    Raises:
        MissingExtraError: names the first missing package.
    """
    for package in _TRAIN_PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package)
