"""Options that several commands share."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.errors import MissingExtraError, UsageError

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
        help="Folder of exported models (else FMNIST_MODELS_DIR, ./exported); the shipped ones"
        " are found as well.",
    ),
]

Prepare = Annotated[
    str,
    typer.Option(help="auto: as the model wants it; of frames also frame (as it is) or product."),
]
Unknown = Annotated[
    bool,
    typer.Option(
        "--unknown", help='What is none of the garments the models know is "unknown", too.'
    ),
]
UnknownAt = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="As --unknown, of which this share of ordinary garments stays known: 0.5 to"
        " 0.999, else 0.95.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="Model or .onnx file, repeatable; all by default."),
]
Classes = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        metavar="FILE.toml",
        help="What each folder of the pictures means; else folders have the names of classes.",
        show_default=False,
    ),
]
JsonFile = Annotated[
    str | None, typer.Option("--json", help="File for the results as JSON; - for stdout.")
]

# What the extra [train] installs and its commands import.
_TRAIN_PACKAGES = (
    *("torch", "torchvision", "sklearn", "scipy", "safetensors", "skops"),
    *("onnx", "onnxscript", "skl2onnx", "captum"),
)


def require_extra() -> None:
    """Stop with the right `pip install` when a package of the extra [train] is missing.

    Raises:
        MissingExtraError: names the first missing package.
    """
    for package in _TRAIN_PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package)


def one_of(value: str, allowed: Sequence[str], option: str) -> str:
    """`value`, if it is allowed.

    Raises:
        UsageError: it is not; names the option and the choices.
    """
    if value not in allowed:
        raise UsageError(f"{option} {value!r} is unknown; choose from {', '.join(allowed)}")
    return value


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def parse_size(text: str | None, option: str, default: int) -> int:
    """A whole number, with K, M or G for thousands, millions and billions.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return default
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise UsageError(f"{option} {text!r} is no size; give a number such as 500000, 50M or 2G")
    return size


def parse_shard(text: str) -> tuple[int, int]:
    """``"I/N"`` as (I, N), 1 ≤ I ≤ N.

    Raises:
        UsageError: it is not of that form.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text!r} is no part; give I/N, such as 1/4 for the first of 4")
    return int(match[1]), int(match[2])
