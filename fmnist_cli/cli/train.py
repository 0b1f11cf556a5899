"""`fmnist train MODEL…` and `fmnist train-all`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from fmnist_cli.cli.options import DataDir, RunsDir, require_extra
from fmnist_cli.errors import EXIT_INTERRUPTED
from fmnist_cli.models.registry import REGISTRY, Preset, get_spec

Device = Literal["auto", "cpu", "cuda"]

_Models = Annotated[
    list[str], typer.Argument(metavar="MODEL...", help=f"Any of: {', '.join(REGISTRY)}.")
]
_Preset = Annotated[
    Preset,
    typer.Option(
        help="quick: all seven in minutes, to try; standard: two cores, under 40 minutes;"
        " best: what the shipped models are made with."
    ),
]
_Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random in training.")]
_Device = Annotated[Device, typer.Option(help="Device for the PyTorch models.")]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")]


def train(
    models: _Models,
    preset: _Preset = "standard",
    seed: _Seed = 0,
    device: _Device = "auto",
    resume: _Resume = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train models; each run is kept in RUNS_DIR/MODEL."""
    require_extra()
    specs = [get_spec(name) for name in dict.fromkeys(models)]

    if "OMP_WAIT_POLICY" not in os.environ:
        # OpenMP's threads wait by spinning. Beside other work on the same cores they then
        # hold each other up for most of the time; a short spin costs little on a free machine.
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")

    from fmnist_cli.training import run
    from fmnist_cli.training.job import Job, TrainingData
    from fmnist_cli.training.progress import console_reporter

    chosen_device = run.choose_device(device)
    data = TrainingData.load(data_dir)
    jobs = [Job.of(spec, preset, seed) for spec in specs]
    if not resume:
        for job in jobs:  # all of them now, so that --resume knows what was left to do
            run.announce(job, data, runs_dir / job.spec.name)
    try:
        with console_reporter(len(jobs)) as reporter:
            for job in jobs:
                run.train(
                    job,
                    data,
                    runs_dir / job.spec.name,
                    device=chosen_device,
                    resume=True,
                    reporter=reporter,
                )
    except KeyboardInterrupt:
        sys.stderr.write(
            "\ninterrupted; finished models and the last epoch are kept."
            " The same command with --resume goes on.\n"
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None


def train_all(
    preset: _Preset = "standard",
    seed: _Seed = 0,
    device: _Device = "auto",
    resume: _Resume = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train every model of the registry."""
    train(list(REGISTRY), preset, seed, device, resume, data_dir, runs_dir)
