"""`fmnist data describe`: counts, mean images and a map of the images, as JSON."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, require_extra
from fmnist_cli.errors import UsageError


def describe(
    json_: Annotated[
        str, typer.Option("--json", help="File for the description; - for stdout.")
    ] = "-",
    images: Annotated[
        int, typer.Option(min=30, max=5000, metavar="N", help="Images on the map.")
    ] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the map.")] = 0,
    data_dir: DataDir = None,
) -> None:
    """Describe the data set for `fmnist report`: counts, mean images, a map of the images.

    The map is a t-SNE of validation images. Needs the extra [train].
    """
    if json_ != "-" and Path(json_).is_dir():
        raise UsageError(f"{json_} is a folder; name a file with --json")
    require_extra()
    from fmnist_cli.describe import MapOptions
    from fmnist_cli.describe import describe as measure
    from fmnist_cli.files import write_text

    options = ["--images", str(images), "--seed", str(seed)]
    found = measure(data_dir, MapOptions(images, seed))
    document = {"command": shlex.join(["fmnist", "data", "describe", *options]), **found}
    text = json.dumps(document) + "\n"
    if json_ == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(json_), text)
