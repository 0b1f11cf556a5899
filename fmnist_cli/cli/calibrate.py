"""`fmnist calibrate [MODEL…]`: exported graphs → the same graphs with calibrated confidence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, ModelsDir, ModelsOut, require_extra
from fmnist_cli.cli.output import say


def calibrate(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Exported models; all by default."),
    ] = None,
    output: ModelsOut = Path("exported"),
    models_dir: ModelsDir = None,
    data_dir: DataDir = None,
) -> None:
    """Calibrate the confidence of exported models.

    It is fitted on validation images, inside the ONNX files; labels stay as they are. fmnist
    export does the same, so this is for files that are there already.

    Examples:
        fmnist calibrate
        fmnist calibrate cnn -o models
    """
    require_extra()
    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.export.run import recalibrate
    from fmnist_cli.inference.store import find_models_dir, open_model
    from fmnist_cli.manifest import Manifest

    folder = find_models_dir(models_dir)
    asked = dict.fromkeys(models or Manifest.read(folder).models)
    files = [open_model(name, folder) for name in asked]
    splits = {name: load_split(name, data_dir) for name in ("test", "validation")}
    for file in files:
        entry = recalibrate(file, output, splits)
        curves = file.path.with_suffix(".json")
        if curves.exists() and output.resolve() != curves.parent.resolve():
            shutil.copyfile(curves, output / curves.name)
        assert entry.calibration is not None  # noqa: S101
        before, after = entry.calibration["before"], entry.metrics["validation"]
        say(
            f"{file.name:<13} validation: calibration error {before['calibration_error']:.4f} →"
            f" {after['calibration_error']:.4f}; test: loss {entry.metrics['test']['loss']:.4f},"
            f" calibration error {entry.metrics['test']['calibration_error']:.4f}"
            f"  → {output / entry.file}"
        )
