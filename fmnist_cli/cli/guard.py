"""`fmnist train-guard`: the network that tells what no model knows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import Classes, DataDir, one_of, require_extra
from fmnist_cli.errors import UsageError


def train_guard(
    photos: Annotated[
        Path | None,
        typer.Option(
            "--photos",
            metavar="DIR",
            help="Folder of labelled photos, one folder per class, to learn from as well.",
        ),
    ] = None,
    classes: Classes = None,
    prepare: Annotated[
        str, typer.Option("--prepare", help="How the photos are prepared, as in fmnist classify.")
    ] = "photo",
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from.")] = 1600,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    data_dir: DataDir = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for guard.onnx and manifest.json.")
    ] = Path("exported"),
) -> None:
    """Learn what is no known garment, for fmnist classify --unknown; writes guard.onnx.

    It learns from Fashion-MNIST, from drawn frames of strokes, shapes and textures, and from
    photos: of the ten classes, and of garments that --classes calls "unknown".
    """
    require_extra()
    if photos is None and classes is not None:
        raise UsageError("--classes goes with --photos DIR")
    from fmnist_cli.data.classes import read_meanings
    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.guard.examples import Photos
    from fmnist_cli.guard.export import write
    from fmnist_cli.guard.fit import Schedule
    from fmnist_cli.guard.job import make
    from fmnist_cli.labelled.folders import read_folders
    from fmnist_cli.prepare import MODES
    from fmnist_cli.runtime.isolate import open_isolator
    from fmnist_cli.training.job import TrainingData

    def report(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    data = TrainingData.load(data_dir)
    test = load_split("test", data_dir)
    found = None
    if photos is not None:
        mode = one_of(prepare, MODES, "--prepare")
        meanings = None if classes is None else read_meanings(classes)
        folders = read_folders(photos, mode, open_isolator(mode))
        found = Photos.of(folders, meanings)
        report(f"{len(folders):,} photos, {int(found.strange.sum()):,} of unknown garments")
    outcome = make(data, found, seed=seed, schedule=Schedule(steps), report=report)
    part = write(outcome, output, test.pixels)
    report(f"{output / part.file}: {part.bytes / 1e6:.2f} MB")
