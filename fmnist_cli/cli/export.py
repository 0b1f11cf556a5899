"""`fmnist export [MODEL…]`: trained models → verified ONNX graphs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, RunsDir, require_extra
from fmnist_cli.errors import FmnistError, ModelError
from fmnist_cli.models.registry import REGISTRY, get_spec


def export(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Models to export; all trained ones by default."),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the graphs and manifest.json.")
    ] = Path("exported"),
    data_dir: DataDir = None,
) -> None:
    """Export trained models to verified ONNX files.

    Each graph is compared with its native model on real test images and written only
    when both agree. manifest.json beside the files says what they are.
    """
    require_extra()
    specs = [get_spec(name) for name in dict.fromkeys(models or ())]

    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.data.fashion_mnist import find_data_dir
    from fmnist_cli.export import run
    from fmnist_cli.training.record import RECORD_FILE

    if not specs:
        specs = [s for s in REGISTRY.values() if (runs_dir / s.name / RECORD_FILE).exists()]
        if not specs:
            raise ModelError(f"no finished training runs in {runs_dir}; run: fmnist train-all")
    folder = find_data_dir(data_dir)
    splits = {"test": load_split("test", folder), "validation": load_split("validation", folder)}
    failures: list[FmnistError] = []
    for spec in specs:
        try:
            entry = run.export(spec, runs_dir / spec.name, output, splits)
        except FmnistError as error:
            # One model's failure must not cost the others their export.
            failures.append(error)
            sys.stderr.write(f"error: {error}\n")
            continue
        check, test = entry.verification, entry.metrics.get("test")
        accuracy = f"{test['accuracy']:.2%}" if test else "–"
        sys.stderr.write(
            f"{spec.name:<13} {entry.bytes / 1e6:6.2f} MB"
            f"  test {accuracy}"
            f"  labels equal {check['label_agreement']:.2%}, |Δp| ≤ {check['max_difference']:.1e}"
            f" on {check['images']} images  → {output / entry.file}\n"
        )
    if failures:
        raise FmnistError(f"{len(failures)} of {len(specs)} models were not exported")
