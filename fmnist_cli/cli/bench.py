"""`fmnist bench`: accuracy of exported models against what they cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fmnist_cli.cli.options import DataDir, JsonFile, Models, ModelsDir
from fmnist_cli.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table

    from fmnist_cli.bench.run import Result
    from fmnist_cli.data.dataset import LabelledImages

FORMAT = 1
_WIDTH = 100


def rounded(value: float) -> str:
    """About three digits: 0.012, 1.23, 12.3, 1,234."""
    digits = sum(value < limit for limit in (1, 10, 100))
    return f"{value:,.{digits}f}"


def shortened(count: int) -> str:
    """A count in at most five characters: 785, 7.85k, 1.35M."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return rounded(count / size) + suffix
    return str(count)


def results_table(results: Mapping[str, Result]) -> Table:
    """One line per model; what was not measured shows as –."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("\nmodel", style="bold", overflow="fold")
    for column in (
        "accu-\nracy",
        "macro\nF1",
        "size\nMB",
        "para-\nmeters",
        "load\nms",
        "p50\nms",
        "p95\nms",
        "p99\nms",
        "images\n/s",
        "at\nbatch",
        "\nspread",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for name, result in results.items():
        quality, timing = result.quality, result.timing
        table.add_row(
            escape(name),
            f"{quality.accuracy:.2%}" if quality else "–",
            f"{quality.macro_f1:.4f}" if quality else "–",
            rounded(result.file_bytes / 1e6),
            shortened(result.parameters) if result.parameters is not None else "–",
            rounded(1000 * timing.load_s),
            rounded(timing.latency.p50_ms),
            rounded(timing.latency.p95_ms),
            rounded(timing.latency.p99_ms),
            f"{timing.images_per_s:,.0f}",
            str(timing.batch_size),
            f"{timing.spread:.2f}",
        )
    return table


def header_text(document: Mapping[str, Any]) -> str:
    """The machine and the versions that the figures belong to."""
    machine, versions = document["machine"], document["versions"]
    return (
        f"{machine['processor']}, cores: {machine['cores']}, threads: {document['threads']},"
        f" onnxruntime {versions['onnxruntime']}, fmnist {versions['fmnist-cli']}"
    )


def footer_text(document: Mapping[str, Any]) -> str:
    """How to read the columns."""
    pixels = {"test": "test images", "random": "random pixels"}[document["pixels"]]
    sizes = ", ".join(map(str, document["batch_sizes"]))
    return (
        f"p50, p95, p99: latency of one image per call. images/s: best of batches of {sizes}.\n"
        f"Medians of {document['rounds']} interleaved rounds on {pixels};"
        " spread: slowest / fastest round."
    )


def _test_split(data_dir: Path | None) -> LabelledImages | None:
    """The test split; None, with a note, where nobody said it should be there."""
    from fmnist_cli.data.dataset import find_data_dir, load_split

    try:
        find_data_dir(data_dir, split="test")
    except DataError as error:
        if data_dir is not None:
            raise
        sys.stderr.write(f"note: no accuracy, and timing on random pixels: {error}\n")
        return None
    return load_split("test", data_dir)


def bench(
    model: Models = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads per call; all available cores by default.")
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(min=0.01, help="Timing per model; slow models take longer, accuracy extra."),
    ] = 6.0,
    json_: JsonFile = None,
    data_dir: DataDir = None,
    models_dir: ModelsDir = None,
) -> None:
    """Accuracy against latency and size, side by side."""
    import platform
    import shlex
    from dataclasses import asdict
    from datetime import UTC, datetime
    from functools import partial

    import numpy as np
    import onnxruntime as ort
    from rich.console import Console
    from rich.markup import escape

    from fmnist_cli import __version__
    from fmnist_cli.bench.run import Candidate, Plan, noisy_models, run, unique_names
    from fmnist_cli.cores import available_cores
    from fmnist_cli.files import write_text
    from fmnist_cli.machine import Machine
    from fmnist_cli.manifest import Manifest
    from fmnist_cli.runtime.session import Session
    from fmnist_cli.runtime.store import find_models_dir, open_model

    asked = model or list(Manifest.read(find_models_dir(models_dir)).models)
    plan = Plan(threads=threads or available_cores(), seconds_per_model=seconds)

    def load(one: str) -> Session:
        return Session(open_model(one, models_dir), plan.threads)

    files = [open_model(one, models_dir) for one in asked]
    candidates = [
        Candidate(name, file, partial(load, one))
        for name, file, one in zip(
            unique_names([file.name for file in files]), files, asked, strict=True
        )
    ]
    images = _test_split(data_dir)
    started = datetime.now(UTC)
    with Console(stderr=True).status("") as status:
        results = run(candidates, plan, images, lambda step: status.update(escape(step)))
    if noisy := noisy_models(results):
        sys.stderr.write(
            "warning: machine is noisy: timings of the same model differ by more than 30 % between"
            f" rounds ({', '.join(noisy)}); stop other work, or give more --seconds\n"
        )
    if images is not None and (others := [n for n, r in results.items() if r.quality is None]):
        sys.stderr.write(f"note: no accuracy for models of other classes: {', '.join(others)}\n")

    # File names without their folders: the checksums say which files they were.
    chosen = [word for one in model or () for word in ("--model", Path(one).name)]
    options = ["--threads", str(plan.threads), "--seconds", f"{plan.seconds_per_model:g}"]
    document = {
        "format": FORMAT,
        "command": shlex.join(["fmnist", "bench", *chosen, *options]),
        "date": started.isoformat(timespec="seconds"),
        "machine": asdict(Machine.current()),
        "versions": {
            "fmnist-cli": __version__,
            "onnxruntime": ort.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "pixels": "random" if images is None else "test",
        **asdict(plan),
        "models": {name: asdict(result) for name, result in results.items()},
    }
    text = json.dumps(document, indent=2) + "\n"
    if json_ == "-":
        sys.stdout.write(text)
        return
    console = Console(width=_WIDTH, highlight=False)
    console.print(header_text(document), markup=False, soft_wrap=True)
    console.print()
    console.print(results_table(results))
    console.print()
    console.print(footer_text(document), markup=False)
    if json_ is not None:
        write_text(Path(json_), text)
