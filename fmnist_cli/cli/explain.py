"""`fmnist explain`: where a network looked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import (
    DataDir,
    Force,
    ModelsDir,
    Prepare,
    SplitName,
    complete_model,
    one_of,
    require_extra,
)
from fmnist_cli.cli.output import check_file, say, show
from fmnist_cli.errors import EXIT_REJECTED, UsageError


def explain(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[IMAGE]...",
            help="Pictures, folders, patterns and archives, as for classify; or use --split.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="cnn, resnet, photo, or an .onnx file of such a network; by default resnet."
            " With --maps repeatable, and by default cnn and resnet.",
            autocompletion=complete_model,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for pictures, HTML page and JSON."
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="METHOD", help="gradcam, hirescam, layercam or gradcam++.")
    ] = "layercam",
    layer: Annotated[
        str,
        typer.Option(
            metavar="LAYER",
            help="stages (the mean over all), 14x14 or 7x7 (the last layer of that size), the path"
            " of a module, or several of these joined by +.",
        ),
    ] = "stages",
    target: Annotated[
        str,
        typer.Option(metavar="CLASS", help="Class to look for: predicted, true, or its name."),
    ] = "predicted",
    split: Annotated[
        SplitName | None, typer.Option(help="Take images of the data set instead of files.")
    ] = None,
    class_: Annotated[
        str | None,
        typer.Option("--class", metavar="CLASS", help="With --split: only images of this class."),
    ] = None,
    wrong_only: Annotated[
        bool, typer.Option("--wrong-only", help="With --split: only images with a wrong label.")
    ] = False,
    index: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="With --split: only image number N, from 0."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Stop after this many pictures; by default 20 of --split."
        ),
    ] = None,
    prepare: Prepare = "auto",
    force: Force = False,
    maps: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Only write a JSON file: maps of a right and a wrong image per class and model.",
        ),
    ] = None,
    data_dir: DataDir = None,
    models_dir: ModelsDir = None,
) -> None:
    """Show where a network looked.

    Draws the original, what the model sees, heat map and overlay of every picture. Exit code 0:
    all are explained; 3: some inputs are rejected, each with its reason.

    Examples:
        fmnist explain photos -m photo -o explained
        fmnist explain --split test --class Shirt --wrong-only -o shirts
    """
    require_extra()

    of_pictures = {
        "IMAGE": bool(inputs),
        "--split": split is not None,
        "-o": output is not None,
        "--force": force,
        "--limit": limit is not None,
        "--target": target != "predicted",
        "--prepare": prepare != "auto",
    }
    if maps is not None and (given := [name for name, is_given in of_pictures.items() if is_given]):
        raise UsageError(f"--maps does not go with {given[0]}; leave one of them out")
    from_split = {
        "--class": class_ is not None,
        "--wrong-only": wrong_only,
        "--index": index is not None,
    }
    if split is None and (given := [name for name, is_given in from_split.items() if is_given]):
        raise UsageError(f"{given[0]} chooses from the data set; say of which images with --split")
    if split is not None and prepare != "auto":
        raise UsageError("--prepare is for files; images of the data set are frames already")
    check_file(maps)
    if maps is not None:
        from fmnist_cli.explain.job import write_maps

        write_maps(maps, model, method, layer, data_dir, models_dir, say)
        return
    if model == ["auto"]:
        raise UsageError(
            "--model auto chooses a model for each picture, which explain does not; name one"
        )
    if model is not None and len(model) > 1:
        raise UsageError("one --model at a time, since its maps go into one folder")
    if output is None:
        raise UsageError("name the folder to write into with -o")
    if bool(inputs) == (split is not None):
        raise UsageError("name pictures, or take images of the data set with --split; one of both")
    from fmnist_cli.preprocess import MODES

    one_of(prepare, MODES, "--prepare")

    from fmnist_cli.explain.job import Chosen, explain_pictures

    chosen = Chosen(tuple(inputs or ()), prepare, split, class_, wrong_only, index, limit, data_dir)
    name = (model or ["resnet"])[0]
    rejected = explain_pictures(chosen, output, force, name, method, layer, target, models_dir, say)
    show(str(output))
    if rejected:
        raise typer.Exit(EXIT_REJECTED)
