"""`fmnist train MODEL…` and `fmnist train-all`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fmnist_cli.cli.options import Classes, DataDir, RunsDir, require_extra
from fmnist_cli.errors import EXIT_INTERRUPTED, UsageError
from fmnist_cli.models.registry import REGISTRY, ModelSpec, Preset, get_spec

if TYPE_CHECKING:
    from fmnist_cli.training.job import TrainingData

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
        " several for their mean. For hybrid, its members. By default what the preset says.",
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
_Photos = Annotated[
    Path | None,
    typer.Option(
        "--photos",
        metavar="DIR",
        help="Folder of labelled pictures, DIR/CLASS/..., for models that learn from such (photo).",
        show_default=False,
    ),
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
    photos: _Photos = None,
    classes: Classes = None,
    resume: _Resume = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train models; each run is kept in RUNS_DIR/MODEL."""
    require_extra()
    specs = [get_spec(name) for name in dict.fromkeys(models)]
    if exclude_top is not None and exclude is None:
        raise UsageError("--exclude-top goes with --exclude FILE")
    of_pictures = [spec for spec in specs if spec.framework == "pictures"]
    if of_pictures and photos is None:
        raise UsageError(
            f"{of_pictures[0].name} learns from photos; give a folder of them: --photos DIR"
        )
    if not of_pictures and (photos is not None or classes is not None):
        raise UsageError("--photos and --classes are for models that learn from photos, like photo")

    if "OMP_WAIT_POLICY" not in os.environ:
        # OpenMP's threads wait by spinning. Beside other work on the same cores they then
        # hold each other up for most of the time; a short spin costs little on a free machine.
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")

    from fmnist_cli.data.exclude import read_exclusions
    from fmnist_cli.training import run
    from fmnist_cli.training.job import Job, TrainingData, in_order
    from fmnist_cli.training.parents import Start, Teacher
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
    data_of = {spec.name: data for spec in specs}
    for spec in of_pictures:
        assert photos is not None  # noqa: S101
        data_of[spec.name] = _with_pictures(data, photos, spec, classes)
    if not resume:
        for job in jobs:  # all of them now, so that --resume knows what was left to do
            run.announce(job, data_of[job.spec.name], runs_dir / job.spec.name)
    try:
        with console_reporter(len(jobs)) as reporter:
            for job in jobs:
                run.train(
                    job,
                    data_of[job.spec.name],
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


def _with_pictures(
    data: TrainingData, root: Path, spec: ModelSpec, classes: Path | None
) -> TrainingData:
    """With the pictures to learn from; says on standard error what was made of them."""
    from fmnist_cli.labelled.classes import read_meanings
    from fmnist_cli.progress import progress

    meanings = None if classes is None else read_meanings(classes)
    with progress(True, None) as advance:
        data = data.with_pictures(root, spec.input, meanings, advance)
    assert data.pictures is not None  # noqa: S101
    sys.stderr.write("\n".join(data.pictures.told()) + "\n")
    return data


def train_all(
    preset: _Preset = "standard",
    seed: _Seed = 0,
    device: _Device = "auto",
    photos: _Photos = None,
    classes: Classes = None,
    resume: _Resume = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train every model of the registry; those that learn from photos, where --photos is given."""
    left_out = [] if photos else [s.name for s in REGISTRY.values() if s.framework == "pictures"]
    if left_out:
        sys.stderr.write(
            f"left out: {', '.join(left_out)}, which learn from photos (--photos DIR)\n"
        )
    train(
        [name for name in REGISTRY if name not in left_out],
        preset,
        seed,
        device,
        photos=photos,
        classes=classes,
        resume=resume,
        data_dir=data_dir,
        runs_dir=runs_dir,
    )
