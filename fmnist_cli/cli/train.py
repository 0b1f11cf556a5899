"""`fmnist train MODEL…` and `fmnist train-all`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from fmnist_cli.cli.options import DataDir, RunsDir, require_extra
from fmnist_cli.errors import EXIT_INTERRUPTED, UsageError
from fmnist_cli.models.registry import REGISTRY, Preset, get_spec

Device = Literal["auto", "cpu", "cuda"]
Features = Literal["pixels", "hog"]

_Models = Annotated[
    list[str], typer.Argument(metavar="MODEL...", help=f"Any of: {', '.join(REGISTRY)}.")
]
_Preset = Annotated[
    Preset,
    typer.Option(
        help="quick: all in minutes, to try; standard: two cores, about 20 minutes;"
        " best: what the shipped models are made with."
    ),
]
_Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random in training.")]
_Device = Annotated[Device, typer.Option(help="Device for the PyTorch models.")]
_Features = Annotated[
    Features | None,
    typer.Option(
        help="What svm, logreg, knn, mlp and random-forest see: gradients (hog) or the pixels"
        " themselves; by default what is best for each.",
        show_default=False,
    ),
]
_Teacher = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="MODEL",
        help="Exported model, or .onnx file, whose predictions are learnt beside the labels;"
        " give several for their mean. By default what the preset says.",
        show_default=False,
    ),
]
_Exclude = Annotated[
    Path | None,
    typer.Option(
        help="List of training images to leave out, such as the audit.csv of `fmnist data audit`.",
        show_default=False,
    ),
]
_ExcludeTop = Annotated[
    int | None,
    typer.Option(min=1, help="Leave out the first N of the list only.", show_default=False),
]
_Init = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="MODEL",
        help="Exported model, or .onnx file, whose weights are trained on instead of random ones.",
        show_default=False,
    ),
]
_Resume = Annotated[bool, typer.Option("--resume", help="Go on where an interrupted run stopped.")]


def train(
    models: _Models,
    preset: _Preset = "standard",
    seed: _Seed = 0,
    device: _Device = "auto",
    features: _Features = None,
    teacher: _Teacher = None,
    exclude: _Exclude = None,
    exclude_top: _ExcludeTop = None,
    init: _Init = None,
    resume: _Resume = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train models; each run is kept in RUNS_DIR/MODEL."""
    require_extra()
    specs = [get_spec(name) for name in dict.fromkeys(models)]
    if exclude_top is not None and exclude is None:
        raise UsageError("--exclude-top goes with --exclude FILE")

    if "OMP_WAIT_POLICY" not in os.environ:
        # OpenMP's threads wait by spinning. Beside other work on the same cores they then
        # hold each other up for most of the time; a short spin costs little on a free machine.
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")

    from fmnist_cli.data.exclude import read_exclusions
    from fmnist_cli.training import run
    from fmnist_cli.training.initial import Start, Teacher
    from fmnist_cli.training.job import Job, TrainingData, in_order
    from fmnist_cli.training.progress import console_reporter

    chosen_device = run.choose_device(device)
    teachers = tuple(map(Teacher.of, teacher or ()))
    start = None if init is None else Start.of(init)
    jobs = in_order(
        [
            Job.of(spec, preset, seed, features=features, teachers=teachers, start=start)
            for spec in specs
        ],
        runs_dir,
    )
    data = TrainingData.load(data_dir)
    if exclude is not None:
        images = len(data.train) + len(data.validation)
        data = data.without(read_exclusions(exclude, exclude_top, images=images))
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
    train(list(REGISTRY), preset, seed, device, resume=resume, data_dir=data_dir, runs_dir=runs_dir)
