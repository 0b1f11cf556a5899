"""`fmnist data describe`: counts, mean images and a map of the images, as JSON."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, Json, require_extra
from fmnist_cli.cli.output import Results


def describe(
    points: Annotated[
        int, typer.Option(min=30, max=5000, metavar="N", help="Images on the map.")
    ] = 1500,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the map.")] = 0,
    json_: Json = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="JSON file; by default standard output."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Describe the data set for `fmnist report`.

    Counts, mean images and a map of the images, as JSON. The map is a t-SNE of validation images.
    Needs the extra [train].

    Examples:
        fmnist data describe -o data.json
    """
    results = Results(json_ or output is None, output)
    results.check()
    require_extra()
    from fmnist_cli.describe import MapOptions
    from fmnist_cli.describe import describe as measure

    options = ["--points", str(points), "--seed", str(seed)]
    found = measure(data_dir, MapOptions(points, seed))
    results.write({"command": shlex.join(["fmnist", "data", "describe", *options]), **found}, None)
