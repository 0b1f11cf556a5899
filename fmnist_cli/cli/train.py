"""Making models: `fmnist train`, `train-all`, `train-guard`, `export` and `calibrate`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated, Literal

import typer

from fmnist_cli.cli.options import (
    DataDir,
    ModelsDir,
    ModelsOut,
    RunsDir,
    complete_model,
    require_extra,
)
from fmnist_cli.cli.output import Level, detail, error, note, say
from fmnist_cli.errors import EXIT_INTERRUPTED, FmnistError, ModelError, UsageError
from fmnist_cli.models.registry import REGISTRY, Preset, get_spec

Device = Literal["auto", "cpu", "cuda"]
Features = Literal["pixels", "hog"]

_DATA = "What is learned from"

_Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help=f"Any of: {', '.join(REGISTRY)}.",
        autocompletion=lambda incomplete: [one for one in REGISTRY if one.startswith(incomplete)],
    ),
]
_Preset = Annotated[
    Preset,
    typer.Option(
        help="quick takes minutes for all models, to try things; standard about 20 minutes on two"
        " cores; best makes the shipped models."
    ),
]
_Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="Seed of everything random in training.")
]
_Device = Annotated[Device, typer.Option(help="Where PyTorch models are trained.")]
_Features = Annotated[
    Features | None,
    typer.Option(
        help="What svm, logreg, knn, mlp and random-forest see: histograms of gradients (hog) or"
        " pixels; by default what is best for each.",
        rich_help_panel=_DATA,
    ),
]
_Teacher = Annotated[
    list[str] | None,
    typer.Option(
        "--teacher",
        metavar="MODEL",
        help="Exported model, or .onnx file, whose predictions are learned beside the labels;"
        " repeatable, then their mean. For hybrid: its members. By default the preset decides.",
        autocompletion=complete_model,
        rich_help_panel=_DATA,
    ),
]
_LeaveOut = Annotated[
    Path | None,
    typer.Option(
        "--leave-out",
        metavar="FILE",
        help="List of training images to leave out, such as audit.csv of `fmnist data audit`.",
        rich_help_panel=_DATA,
    ),
]
_LeaveOutFirst = Annotated[
    int | None,
    typer.Option(
        "--leave-out-first",
        min=1,
        metavar="N",
        help="Leave out only the first N images of the list.",
        rich_help_panel=_DATA,
    ),
]
_Photos = Annotated[
    Path | None,
    typer.Option(
        "--photos",
        metavar="DIR",
        help="Folder of labelled pictures, DIR/CLASS/..., for models of photos (photo).",
        rich_help_panel=_DATA,
    ),
]
_Init = Annotated[
    str | None,
    typer.Option(
        "--init",
        metavar="MODEL",
        help="Exported model, or .onnx file, whose weights training starts from.",
        autocompletion=complete_model,
        rich_help_panel=_DATA,
    ),
]
_Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")]


def train(
    models: _Models,
    preset: _Preset = "standard",
    seed: _Seed = 0,
    device: _Device = "auto",
    features: _Features = None,
    teacher: _Teacher = None,
    leave_out: _LeaveOut = None,
    leave_out_first: _LeaveOutFirst = None,
    init: _Init = None,
    photos: _Photos = None,
    resume: _Resume = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train models. Each run is kept in a folder of its own, RUNS_DIR/MODEL.

    Examples:
        fmnist train cnn --preset quick
        fmnist train photo --photos pictures
        fmnist train hybrid --teacher cnn --teacher svm --resume
    """
    require_extra()
    specs = [get_spec(name) for name in dict.fromkeys(models)]
    if leave_out_first is not None and leave_out is None:
        raise UsageError("--leave-out-first goes with --leave-out FILE")
    of_pictures = [spec for spec in specs if spec.framework == "pictures"]
    if of_pictures and photos is None:
        raise UsageError(
            f"{of_pictures[0].name} learns from photos; give a folder of them: --photos DIR"
        )
    if not of_pictures and photos is not None:
        raise UsageError("--photos is for models that learn from photos, like photo")

    if "OMP_WAIT_POLICY" not in os.environ:
        # OpenMP's threads wait by spinning. Beside other work on the same cores they then
        # hold each other up for most of the time; a short spin costs little on a free machine.
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")

    from fmnist_cli.data.exclude import read_exclusions
    from fmnist_cli.data.fashion_mnist import find_data_dir
    from fmnist_cli.progress import progress
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
    detail(f"data set: {find_data_dir(data_dir)}; device: {chosen_device}")
    if leave_out is not None:
        images = len(data.train) + len(data.validation)
        data = data.without(read_exclusions(leave_out, leave_out_first, images=images))
    data_of = {spec.name: data for spec in specs}
    for spec in of_pictures:
        assert photos is not None  # noqa: S101
        with progress(not Level.quiet, None) as advance:
            data_of[spec.name] = data.with_pictures(photos, spec.input, advance)
        pictures = data_of[spec.name].pictures
        say("\n".join(pictures.told() if pictures else ()))
    if not resume:
        for job in jobs:  # all of them now, so that --resume knows what was left to do
            run.announce(job, data_of[job.spec.name], runs_dir / job.spec.name)
    try:
        with console_reporter(len(jobs), quiet=Level.quiet) as reporter:
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
        say(
            "\ninterrupted; finished models and the last epoch are kept."
            " The same command with --resume goes on."
        )
        raise typer.Exit(EXIT_INTERRUPTED) from None


def train_all(
    preset: _Preset = "standard",
    seed: _Seed = 0,
    device: _Device = "auto",
    photos: _Photos = None,
    resume: _Resume = False,
    data_dir: DataDir = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Train all models; those of photos only if --photos is given.

    Examples:
        fmnist train-all --preset quick
        fmnist train-all --photos pictures --resume
    """
    left_out = [] if photos else [s.name for s in REGISTRY.values() if s.framework == "pictures"]
    if left_out:
        note(f"left out: {', '.join(left_out)}; --photos DIR trains on photos")
    train(
        [name for name in REGISTRY if name not in left_out],
        preset,
        seed,
        device,
        photos=photos,
        resume=resume,
        data_dir=data_dir,
        runs_dir=runs_dir,
    )


def export(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...", help="Models to export; by default all that were trained."
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
    output: ModelsOut = Path("exported"),
    data_dir: DataDir = None,
) -> None:
    """Export trained models to ONNX files.

    Each graph is compared with the model that was trained, on real test images, and written only
    if both agree. manifest.json beside the files describes them.

    Examples:
        fmnist export
        fmnist export cnn resnet -o models
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
        except FmnistError as failure:
            # One model's failure must not cost the others their export.
            failures.append(failure)
            error(str(failure))
            continue
        check, test = entry.verification, entry.metrics.get("test")
        accuracy = f"{test['accuracy']:.2%}" if test else "–"
        say(
            f"{spec.name:<13} {entry.bytes / 1e6:6.2f} MB"
            f"  test {accuracy}"
            f"  labels equal {check['label_agreement']:.2%}, |Δp| ≤ {check['max_difference']:.1e}"
            f" on {check['images']} images  → {output / entry.file}"
        )
    if failures:
        raise FmnistError(f"{len(failures)} of {len(specs)} models were not exported")


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
    from fmnist_cli.inference.models import find_models_dir, open_model
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
    from fmnist_cli.ood.fit import make, write
    from fmnist_cli.training.job import TrainingData

    data = TrainingData.load(data_dir)
    test = load_split("test", data_dir)
    outcome = make(data, seed=seed, steps=steps, report=say)
    part = write(outcome, output, test.pixels)
    say(f"{output / part.file}: {part.bytes / 1e6:.2f} MB")
