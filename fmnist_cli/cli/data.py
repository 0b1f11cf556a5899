"""``fmnist data``: fetch the data set, look at it, write it out as pictures, audit it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fmnist_cli.cli.audit import audit
from fmnist_cli.cli.describe import describe
from fmnist_cli.cli.options import DataDir

if TYPE_CHECKING:
    from fmnist_cli.data.download import DownloadEvent, Progress
    from fmnist_cli.data.fashion_mnist import DataFile, Split

SplitName = Literal["test", "validation", "train"]

app = typer.Typer(help="Fetch the data set, look at it, write it out as pictures, audit it.")
app.command()(audit)
app.command()(describe)


@app.command()
def download(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            help="Where to put the files. Default: ./data/fashion-mnist inside a clone of the "
            "project, else the user's cache.",
            show_default=False,
        ),
    ] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(
            "--mirror",
            metavar="URL",
            help="Address of a folder with the four files, instead of the built-in mirrors. "
            "Repeatable; asked in order.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch the four Fashion-MNIST files (30 MB); an interrupted download resumes.

    Files that are already there and whole are kept. Prints the folder.
    """
    from fmnist_cli.data.download import MIRRORS
    from fmnist_cli.data.download import download as fetch
    from fmnist_cli.data.fashion_mnist import ENV_VAR, default_download_dir

    target = default_download_dir() if data_dir is None else data_dir.expanduser()
    with _progress() as progress:
        fetch(target, mirror or MIRRORS, progress=progress)
    elsewhere = os.environ.get(ENV_VAR)
    if elsewhere and Path(elsewhere).expanduser().absolute() != target.absolute():
        typer.echo(f"note: {ENV_VAR} is set, so commands read {elsewhere} instead", err=True)
    typer.echo(str(target))


@app.command()
def info(
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show where the data is, whether its files are the official ones, and what they hold."""
    from fmnist_cli.data.fashion_mnist import find_data_dir

    folder = find_data_dir(data_dir)
    summary = _describe(folder)
    typer.echo(json.dumps(summary, indent=2) if as_json else _as_text(summary))


@app.command()
def images(
    out: Annotated[Path, typer.Argument(help="Folder for the pictures; made when missing.")],
    split: Annotated[SplitName, typer.Option(help="Which images to write.")] = "test",
    data_dir: DataDir = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Write the first N only.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Write into a folder that is not empty; numbered pictures and labels.csv of an "
            "earlier run are replaced, other files stay.",
        ),
    ] = False,
) -> None:
    """Write a split as PNG files 00000.png, 00001.png, … with a labels.csv beside them.

    ``fmnist classify OUT`` reads such a folder. Prints the folder.
    """
    from fmnist_cli.data.dataset import LabelledImages, load_split
    from fmnist_cli.data.images import write_images

    loaded = load_split(split, data_dir)
    part = LabelledImages(loaded.pixels[:limit], loaded.labels[:limit])
    written = write_images(part, out, force=force)
    typer.echo(f"wrote {len(written):,} pictures and labels.csv", err=True)
    typer.echo(str(out))


def _describe(folder: Path) -> dict[str, Any]:
    """What ``info`` shows, as plain values."""
    import numpy as np

    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FILES, TORCHVISION_DIR, files_of

    in_torchvision_layout = folder.parts[-2:] == TORCHVISION_DIR.parts
    splits: dict[str, Any] = {}
    names: tuple[Split, ...] = ("train", "validation", "test")
    for split in names:
        if any(file.locate(folder) is None for file in files_of(split)):
            continue
        labels = load_split(split, folder).labels
        counts = np.bincount(labels, minlength=len(CLASS_NAMES)).tolist()
        splits[split] = {
            "images": len(labels),
            "classes": dict(zip(CLASS_NAMES, counts, strict=True)),
        }
    return {
        "data_dir": str(folder.absolute()),
        "layout": "torchvision" if in_torchvision_layout else "plain",
        "files": [_describe_file(folder, file) for file in FILES],
        "splits": splits,
    }


def _describe_file(folder: Path, file: DataFile) -> dict[str, Any]:
    from fmnist_cli.data.fashion_mnist import is_official

    path = file.locate(folder)
    if path is None:
        return {"name": file.name, "bytes": None, "md5": "missing"}
    return {
        "name": path.name,
        "bytes": path.stat().st_size,
        "md5": "ok" if is_official(path, file) else "unknown",
    }


def _as_text(summary: dict[str, Any]) -> str:
    lines = [f"{summary['data_dir']}  ({summary['layout']} layout)", ""]
    for file in summary["files"]:
        size = "-" if file["bytes"] is None else f"{file['bytes']:,}"
        lines.append(f"{file['name']:<28}{size:>14} bytes   MD5 {file['md5']}")
    splits = summary["splits"]
    if splits:
        lines += ["", f"{'class':<14}" + "".join(f"{name:>12}" for name in splits)]
        for label in next(iter(splits.values()))["classes"]:
            counts = (split["classes"][label] for split in splits.values())
            lines.append(f"{label:<14}" + "".join(f"{count:>12,}" for count in counts))
        totals = "".join(f"{split['images']:>12,}" for split in splits.values())
        lines.append(f"{'total':<14}" + totals)
    return "\n".join(lines)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Shows a download on stderr: bars on a terminal, else one line per file and incident."""
    if not sys.stderr.isatty():
        yield _echo_event
        return

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def show(event: DownloadEvent) -> None:
            if event.name not in tasks:
                tasks[event.name] = bars.add_task(event.name, total=event.total)
            bars.update(tasks[event.name], completed=event.done)
            if event.kind == "note":
                bars.console.print(f"{event.name}: {event.message}", markup=False, highlight=False)

        yield show


def _echo_event(event: DownloadEvent) -> None:
    texts = {
        "kept": f"{event.name}: already there",
        "note": f"{event.name}: {event.message}",
        "finished": f"{event.name}: {event.done:,} bytes, MD5 ok",
    }
    if event.kind in texts:
        typer.echo(texts[event.kind], err=True)
