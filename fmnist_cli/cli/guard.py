"""`fmnist train-guard`: the network that tells what no model knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, ModelsOut, require_extra
from fmnist_cli.cli.output import say


def train_guard(
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Batches to learn from.")] = 1600,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of everything random.")] = 0,
    data_dir: DataDir = None,
    output: ModelsOut = Path("exported"),
) -> None:
    """Train the detector of unknown pictures.

    fmnist classify --unknown uses it, for models of frames. It learns from Fashion-MNIST and from
    drawn frames of strokes, shapes and textures. Writes guard.onnx.

    Examples:
        fmnist train-guard -o models
    """
    require_extra()
    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.ood.export import write
    from fmnist_cli.ood.fit import Schedule, make
    from fmnist_cli.training.job import TrainingData

    data = TrainingData.load(data_dir)
    test = load_split("test", data_dir)
    outcome = make(data, seed=seed, schedule=Schedule(steps), report=say)
    part = write(outcome, output, test.pixels)
    say(f"{output / part.file}: {part.bytes / 1e6:.2f} MB")
