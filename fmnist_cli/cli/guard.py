"""`fmnist train-guard`: the network that tells what no model knows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, require_extra


def train_guard(
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from.")] = 1600,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    data_dir: DataDir = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for guard.onnx and manifest.json.")
    ] = Path("exported"),
) -> None:
    """Learn what is no known garment, for fmnist classify --unknown; writes guard.onnx.

    It learns from Fashion-MNIST, and from drawn frames of strokes, shapes and textures.
    """
    require_extra()
    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.ood.export import write
    from fmnist_cli.ood.fit import Schedule, make
    from fmnist_cli.training.job import TrainingData

    def report(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    data = TrainingData.load(data_dir)
    test = load_split("test", data_dir)
    outcome = make(data, seed=seed, schedule=Schedule(steps), report=report)
    part = write(outcome, output, test.pixels)
    report(f"{output / part.file}: {part.bytes / 1e6:.2f} MB")
