"""From a model's name to a finished run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmnist_cli import __version__
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.errors import TrainingError
from fmnist_cli.evaluate.metrics import interval
from fmnist_cli.files import read_json, write_text
from fmnist_cli.machine import Machine
from fmnist_cli.training.job import Fit, Job, Order, TrainingData, check_same_run
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import (
    FOLD_FILES,
    LAST_FILE,
    PENDING_FILE,
    RECORD_FILE,
    TrainingRecord,
    framework,
)

NETWORKS = ("torch", "pictures")  # frameworks that run on a device
_FEW = 100  # images: of fewer, digits behind the point would say what is not known


def choose_device(name: str) -> torch.device:
    """The device called `name`; ``auto`` is CUDA where it works, else the CPU.

    Raises:
        TrainingError: CUDA is asked for and not there; nothing falls back silently.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise TrainingError("--device cuda: PyTorch finds no CUDA device; use --device cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


def subset(images: LabelledImages, samples: int | None, seed: int) -> LabelledImages:
    """`samples` images, equally many of each class where that is possible; None for all."""
    if samples is None or samples >= len(images.labels):
        return images
    order = np.random.default_rng(seed).permutation(len(images.labels))
    # Position of each image among those of its class; the lowest positions are taken.
    rank = np.empty(len(order), dtype=np.int64)
    for label in np.unique(images.labels):
        members = order[images.labels[order] == label]
        rank[members] = np.arange(len(members))
    chosen = np.sort(order[np.argsort(rank[order], kind="stable")[:samples]])
    return LabelledImages(images.pixels[chosen], images.labels[chosen])


def _versions(*packages: str) -> Mapping[str, str]:
    """Versions of what decided the result; packages that are not installed are left out."""
    known = {"fmnist-cli": __version__}
    for package in packages:
        with suppress(PackageNotFoundError):
            known[package] = version(package)
    return known


def announce(job: Job, data: TrainingData, run_dir: Path) -> None:
    """Note that this run is to be made anew in `run_dir`; `train` with `resume` then makes it.

    What is finished there stands until then, what was half done is dropped.
    """
    # Its parents may not be finished yet; checkpoints know them.
    write_text(run_dir / PENDING_FILE, json.dumps(job.identity(data)))
    for half_done in (run_dir / LAST_FILE, *run_dir.glob(FOLD_FILES)):
        half_done.unlink(missing_ok=True)


def _pending(run_dir: Path) -> dict[str, Any] | None:
    """The identity of the run announced in `run_dir`, if it is not finished yet."""
    path = run_dir / PENDING_FILE
    try:
        return dict(read_json(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise TrainingError(
            f"cannot resume from {path}: {error}; train again without --resume"
        ) from error


def _outcome(record: TrainingRecord) -> str:
    """The validation accuracy; of few images how many are right, and what that says of others."""
    images = record.validation_images
    if not 0 < images < _FEW:
        return f"validation accuracy {record.validation_accuracy:.2%}"
    right = round(record.validation_accuracy * images)
    low, high = interval(right, images)
    return f"validation accuracy {right} of {images} (95 %: {low:.0%} to {high:.0%})"


def train(
    job: Job,
    data: TrainingData,
    run_dir: Path,
    *,
    device: torch.device,
    resume: bool,
    reporter: Reporter,
) -> TrainingRecord:
    """Fit one model and write its run folder.

    An interrupted fit of a PyTorch model leaves its last epoch in the folder; with
    `resume` it goes on from there, and a run already finished is not repeated. A finished
    run in the folder is replaced only once the new one is finished, too.

    Raises:
        TrainingError: what is to be resumed is damaged or of another run, or what the model is
            made from may have seen the validation images.
    """
    spec = job.spec
    if spec.framework != "pictures":
        data = replace(data, pictures=None, meanings=None)
    parents = job.parents_of(run_dir)
    for parent in parents:
        parent.check(data.class_names, data.checksum, data.split_seed)
    identity = job.identity(data, parents)
    finished = run_dir / RECORD_FILE
    if not resume:
        announce(job, data, run_dir)
    if pending := _pending(run_dir):
        check_same_run(pending, job.identity(data), run_dir)
    elif finished.exists():
        record = TrainingRecord.read(run_dir)
        check_same_run(asdict(record), identity, run_dir)
        reporter.start(spec.name, 1, 1)
        reporter.finish(f"already trained: {_outcome(record)}")
        return record
    data = replace(data, train=subset(data.train, job.recipe.samples, job.seed))
    order = Order(job, data, run_dir, identity, parents, device, resume, reporter)
    fit: Fit = framework(spec).fit(order)
    # The old result stands until here; from here on the folder must not mix two runs.
    finished.unlink(missing_ok=True)
    fit.save(run_dir)
    record = TrainingRecord(
        **identity,
        train_images=len(data.train if data.pictures is None else data.pictures),
        best_epoch=fit.best_epoch,
        history=fit.history,
        validation_accuracy=fit.validation[0],
        validation_loss=fit.validation[1],
        validation_images=fit.validation_images,
        temperature=fit.temperature,
        converged=fit.converged,
        precision=fit.precision,
        seconds=sum(epoch.seconds for epoch in fit.history),
        machine=Machine.current(device.type if spec.framework in NETWORKS else "cpu"),
        versions=_versions(*fit.packages),
        class_names=data.class_names,
    )
    write_text(finished, record.to_json())
    for leftover in (run_dir / LAST_FILE, run_dir / PENDING_FILE, *run_dir.glob(FOLD_FILES)):
        leftover.unlink(missing_ok=True)
    reporter.finish(_outcome(record))
    return record
