"""`fmnist train-isolate PHOTOS`: the network that finds the garment in a photo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import require_extra


def train_isolate(
    photos: Annotated[
        Path, typer.Argument(metavar="PHOTOS", help="Folder of photos of one garment each.")
    ],
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of masks, dress/1.png for dress/1.jpg, white where the garment is, or"
            " transparent where it is not; photos without are left out (else GrabCut makes masks)."
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the photos.")] = 48,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for isolate.onnx and manifest.json.")
    ] = Path("exported"),
) -> None:
    """Learn from photos without labels where the garment is; writes isolate.onnx.

    GrabCut makes a mask of each photo, supposing that the garment is in the middle; a small
    U-Net learns them, and gets right much of what GrabCut gets wrong now and then. Better masks,
    from any tool that removes backgrounds, can be given instead.
    """
    require_extra()
    from fmnist_cli.isolate.export import write
    from fmnist_cli.isolate.job import make

    def report(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    outcome = make(photos, masks=masks, epochs=epochs, seed=seed, report=report)
    part = write(outcome.network, output, outcome.metrics, outcome.training)
    report(
        f"{output / part.file}: {part.bytes / 1e6:.2f} MB,"
        f" {outcome.metrics['intersection_over_union']:.1%} of the masks (intersection over union)"
    )
