"""Measuring several models side by side, and the document that holds it all.

What does not depend on the machine's mood is measured once per model; time in rounds, in which
every model has one turn (`rounds`); then the whole command on the user's pictures.
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from fmnist_cli import __version__
from fmnist_cli.bench.compare import FORMAT
from fmnist_cli.bench.measure import Quality, count_macs, measure_quality, timed_pixels
from fmnist_cli.bench.rounds import (
    Estimate,
    Plan,
    Say,
    estimate,
    interleave,
    last_words,
    peak_memory_bytes,
    run_python,
    summarise,
    take_rounds,
)
from fmnist_cli.contract import Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import of_data_set
from fmnist_cli.errors import EXIT_REJECTED, DataError
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import Machine

NOISE_LIMIT = 1.3  # spread over rounds from which timings are not to be trusted
_LABELLING_ROUNDS = 3
_MEMORY_RUNS = 3  # at most: peak memory varies little

Results = dict[str, dict[str, Any]]  # name of each model → its figures as JSON values


class Pictures(NamedTuple):
    """What the whole command labels: a folder, and one of `fmnist_cli.preprocess.MODES`."""

    folder: Path
    prepare: str = "auto"


class Labelled(NamedTuple):
    """One run of the command: pictures found, those rejected among them, and its seconds."""

    images: int
    rejected: int
    seconds: float


def noisy_models(results: Results, limit: float = NOISE_LIMIT) -> list[str]:
    """Names of the models whose timings differ between rounds by more than the limit."""
    spreads = ("latency_spread", "images_per_s_spread")
    return [
        name
        for name, result in results.items()
        if max(result["timing"][spread] for spread in spreads) > limit
    ]


def circumstances(started: datetime, more: Sequence[str] = ()) -> dict[str, Any]:
    """When, where and with what; `more` are packages besides those that every measurement needs."""
    packages = ("numpy", "onnxruntime", *more)
    return {
        "date": started.isoformat(timespec="seconds"),
        "machine": Machine.current()._asdict(),
        "versions": {
            "fmnist-cli": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
    }


def head(command: str, plan: Plan, *, pixels: str, started: datetime) -> dict[str, Any]:
    """The document without its ``models``, which are what `run` gives.

    Args:
        pixels: ``"test"`` or ``"random"``.
        started: when, with its time zone.
    """
    return {
        "format": FORMAT,
        "command": command,
        **circumstances(started),
        "pixels": pixels,
        **asdict(plan),
        "batch_sizes": list(plan.batch_sizes),
        "thread_counts": list(plan.thread_counts),
    }


def steps_of(models: int, plan: Plan, *, pictures: bool) -> int:
    """How many steps `run` tells of."""
    return 2 * models + plan.rounds + (1 + models * _LABELLING_ROUNDS if pictures else 0)


def run(
    files: Mapping[str, ModelFile],
    plan: Plan,
    images: LabelledImages | None,
    *,
    pictures: Pictures | None = None,
    on_step: Say = lambda _: None,
) -> Results:
    """Measure all models, in the order given.

    Args:
        files: by unique names.
        images: the test split; without it there is no accuracy, and timing uses noise.
        pictures: what to label with the whole command; None to leave that out.

    Raises:
        ModelError: a file is no usable model.
        DataError: the pictures cannot be labelled.
    """
    pixels: dict[str, Pixels] = {}
    quality: dict[str, Quality | None] = {}
    known: dict[str, bool] = {}
    macs: dict[str, int] = {}
    for name, file in files.items():
        on_step(f"{name}: accuracy")
        session = Session(file, plan.threads)  # unusable files show before time is spent
        pixels[name] = timed_pixels(session.spec, None if images is None else images.pixels)
        known[name] = of_data_set(session.card)
        quality[name] = None if images is None else measure_quality(session, images)
        macs[name] = count_macs(file)
    memory = {}
    for name, file in files.items():
        on_step(f"{name}: memory")
        memory[name] = _peak_memory(file.path, plan.bounded(pixels[name][0].nbytes))
    turns = take_rounds(files, plan, pixels, on_step)
    labelled = {} if pictures is None else _label(files, plan, pictures, on_step)

    results = {}
    for name, file in files.items():
        peak = memory[name]
        results[name] = {
            "title": file.entry.title if file.entry else file.name,
            "sha256": file.sha256,
            "file_bytes": len(file.content),
            "parameters": file.entry.parameters if file.entry else None,
            "macs": macs[name],
            "peak_memory_bytes": round(peak.median) if peak else None,
            "peak_memory_interval": peak._asdict() if peak else None,
            "of_data_set": known[name],  # whether it can have a quality
            "quality": quality[name],
            "timing": summarise(turns[name], plan.threads),
            "end_to_end": labelled.get(name),
        }
    return results


def _peak_memory(path: Path, plan: Plan) -> Estimate | None:
    largest, runs = max(plan.batch_sizes), min(plan.rounds, _MEMORY_RUNS)
    peaks = [peak_memory_bytes(path, plan.threads, largest) for _ in range(runs)]
    known = [float(peak) for peak in peaks if peak is not None]
    return estimate(known) if known else None


def _label(files: Mapping[str, ModelFile], plan: Plan, pictures: Pictures, on_step: Say) -> Results:
    """The rate of the whole command: start, reading, decoding, inference, rows in a file."""

    def turn(name: str) -> Labelled:
        on_step(f"{name}: labelling {pictures.folder}")
        return label_folder(pictures, files[name].path, plan.threads)

    turn(next(iter(files)))  # puts the files into the system's cache
    runs = interleave({name: partial(turn, name) for name in files}, _LABELLING_ROUNDS)
    return {
        name: {
            "images": found[0].images,
            "rejected": found[0].rejected,
            "images_per_s": estimate([one.images / one.seconds for one in found])._asdict(),
        }
        for name, found in runs.items()
    }


def label_folder(pictures: Pictures, model: Path, workers: int) -> Labelled:
    """Run ``fmnist classify FOLDER`` as a process of its own; its rows are thrown away.

    Raises:
        DataError: it failed; with the end of what it said.
    """
    with tempfile.TemporaryDirectory() as kept:
        summary = Path(kept) / "summary.json"
        folder, prepare = pictures
        words = ["classify", str(folder), "--model", str(model), "--workers", str(workers)]
        words += ["-o", str(Path(kept) / "rows.jsonl"), "--summary", str(summary), "--quiet"]
        words += ["--prepare", prepare]
        started = time.perf_counter()
        done = run_python("from fmnist_cli.cli import main; main()", *words)
        seconds = time.perf_counter() - started
        if done.returncode not in (0, EXIT_REJECTED):
            raise DataError(f"--images {folder}: {last_words(done).removeprefix('error: ')}")
        counts: Mapping[str, int] = json.loads(summary.read_text(encoding="utf-8"))
    return Labelled(counts["total"], counts["rejected"], seconds)
