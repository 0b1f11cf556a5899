"""``fmnist data``: fetch the data set, look at it, write it out as pictures, audit it."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fmnist_cli.cli.audit import audit
from fmnist_cli.cli.command import Command, Group
from fmnist_cli.cli.options import FOLDERS, DataDir, Force, Json, SplitName, require_extra
from fmnist_cli.cli.output import Level, Results, aligned, check_file, note, say, show

if TYPE_CHECKING:
    from fmnist_cli.data.download import DownloadEvent, Progress
    from fmnist_cli.data.fashion_mnist import Split

app = typer.Typer(
    cls=Group,
    help="Get the data set, look at it, check it.",
    no_args_is_help=True,
)


@app.command(cls=Command)
def download(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            metavar="DIR",
            help="Folder for the files; by default ./data/fashion-mnist inside a clone of the"
            " project, else the cache.",
            rich_help_panel=FOLDERS,
        ),
    ] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option(
            "--mirror",
            metavar="URL",
            help="Address of a folder with the four files, instead of the built-in mirrors;"
            " repeatable, tried in order.",
        ),
    ] = None,
) -> None:
    """Download Fashion-MNIST (30 MB).

    Prints the folder of the four files. An interrupted download continues. Files that are there
    and whole are kept.

    Examples:
        fmnist data download
        fmnist data download --data-dir fashion-mnist
    """
    from fmnist_cli.data.download import MIRRORS, Downloader
    from fmnist_cli.data.fashion_mnist import ENV_VAR, default_download_dir

    target = default_download_dir() if data_dir is None else data_dir.expanduser()
    with _progress() as progress:
        Downloader(progress).download(target, mirror or MIRRORS)
    elsewhere = os.environ.get(ENV_VAR)
    if elsewhere and Path(elsewhere).expanduser().absolute() != target.absolute():
        note(f"{ENV_VAR} is set, so commands read {elsewhere} instead")
    show(str(target))


@app.command(cls=Command)
def info(
    data_dir: DataDir = None,
    json_: Json = False,
) -> None:
    """Show where the data set is and what it holds.

    Also says whether its files are the published ones.

    Examples:
        fmnist data info
        fmnist data info --json
    """
    from fmnist_cli.data.fashion_mnist import find_data_dir

    folder = find_data_dir(data_dir)
    summary = _describe(folder)
    results = Results(json_)
    results.show(_as_text(summary))
    results.write(summary)


@app.command(cls=Command)
def images(
    out: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder for the pictures; made if missing.")
    ],
    split: Annotated[SplitName, typer.Option(help="Which images to write.")] = "test",
    data_dir: DataDir = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after this many pictures.")
    ] = None,
    force: Force = False,
) -> None:
    """Write images of the data set as PNG files.

    They are called 00000.png, 00001.png, … beside a labels.csv. Prints the folder.

    Examples:
        fmnist data images t10k
        fmnist data images some --split train --limit 100
    """
    from fmnist_cli.data.dataset import LabelledImages, load_split
    from fmnist_cli.data.images import write_images

    loaded = load_split(split, data_dir)
    part = LabelledImages(loaded.pixels[:limit], loaded.labels[:limit])
    written = write_images(part, out, force=force)
    say(f"wrote {len(written):,} pictures and labels.csv")
    show(str(out))


app.command(cls=Command)(audit)


@app.command(cls=Command)
def describe(
    points: Annotated[
        int, typer.Option(min=30, max=5000, metavar="N", help="Images on the map.")
    ] = 1500,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the map.")] = 0,
    json_: Json = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="JSON file; by default standard output."
        ),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Describe the data set for `fmnist report`.

    Counts, mean images and a map of the images, as JSON. The map is a t-SNE of validation images.
    Needs the extra [train].

    Examples:
        fmnist data describe -o data.json
    """
    results = Results(json_ or output is None, output)
    check_file(output)
    require_extra()
    from fmnist_cli.describe import describe as measure

    options = ["--points", str(points), "--seed", str(seed)]
    found = measure(data_dir, points, seed)
    results.write({"command": shlex.join(["fmnist", "data", "describe", *options]), **found}, None)


def _describe(folder: Path) -> dict[str, Any]:
    """What ``info`` shows, as plain values."""
    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.data.fashion_mnist import (
        FILES,
        TORCHVISION_DIR,
        files_of,
        is_official,
    )

    in_torchvision_layout = folder.parts[-2:] == TORCHVISION_DIR.parts
    splits: dict[str, Any] = {}
    names: tuple[Split, ...] = ("train", "validation", "test")
    for split in names:
        if all(file.locate(folder) for file in files_of(split)):
            splits[split] = load_split(split, folder).counts()
    files: list[dict[str, Any]] = []
    for file in FILES:
        path = file.locate(folder)
        if path is None:
            files.append({"name": file.name, "bytes": None, "md5": "missing"})
        else:
            md5 = "ok" if is_official(path, file) else "unknown"
            files.append({"name": path.name, "bytes": path.stat().st_size, "md5": md5})
    return {
        "data_dir": str(folder.absolute()),
        "layout": "torchvision" if in_torchvision_layout else "plain",
        "files": files,
        "splits": splits,
    }


def _as_text(summary: dict[str, Any]) -> str:
    lines = [f"{summary['data_dir']}  ({summary['layout']} layout)", ""]
    files = [("file", "bytes", "MD5")]
    for file in summary["files"]:
        size = "-" if file["bytes"] is None else f"{file['bytes']:,}"
        files.append((file["name"], size, file["md5"]))
    lines.append(aligned(files, "<><"))
    splits = summary["splits"]
    if splits:
        rows = [("class", *splits)]
        rows += [
            (label, *(f"{one['classes'][label]:,}" for one in splits.values()))
            for label in next(iter(splits.values()))["classes"]
        ]
        rows.append(("total", *(f"{one['images']:,}" for one in splits.values())))
        lines += ["", aligned(rows, "<" + ">" * len(splits))]
    return "\n".join(lines)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Shows a download on stderr: bars on a terminal, else one line per file and incident."""
    if Level.quiet or not sys.stderr.isatty():
        yield _say_event
        return

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from fmnist_cli.contract import printable

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
                text = printable(f"{event.name}: {event.message}")
                bars.console.print(text, markup=False, highlight=False)

        yield show


def _say_event(event: DownloadEvent) -> None:
    texts = {
        "kept": f"{event.name}: already there",
        "note": f"{event.name}: {event.message}",
        "finished": f"{event.name}: {event.done:,} bytes, MD5 ok",
    }
    if event.kind in texts:
        say(texts[event.kind])
