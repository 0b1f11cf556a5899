"""The rate of `fmnist classify` as a whole, on the user's own pictures."""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.bench.child import last_words, run_python
from fmnist_cli.bench.intervals import Estimate
from fmnist_cli.errors import EXIT_REJECTED, DataError

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Labelled:
    """One run of the command.

    Attributes:
        images: pictures found, the rejected among them.
        rejected: of these.
        seconds: from the start of the process to its end.
    """

    images: int
    rejected: int
    seconds: float


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """What the command did with the pictures, over some runs.

    Attributes:
        images: pictures found, the rejected among them.
        rejected: of these.
        images_per_s: of the whole command: start, reading, decoding, inference, rows in a file.
    """

    images: int
    rejected: int
    images_per_s: Estimate


class Pictures(NamedTuple):
    """What is labelled, and how.

    Attributes:
        folder: of pictures.
        prepare: one of `fmnist_cli.preprocess.MODES`.
    """

    folder: Path
    prepare: str = "auto"


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
        counts = json.loads(summary.read_text(encoding="utf-8"))
    return Labelled(counts["total"], counts["rejected"], seconds)
