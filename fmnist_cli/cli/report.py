"""`fmnist report`: measured results as one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import DataDir, ModelsDir
from fmnist_cli.errors import UsageError


def report(
    out: Annotated[Path, typer.Option("-o", "--output", help="File of the page.")] = Path(
        "report.html"
    ),
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Folder of JSON results, of any names. Default: ./benchmarks/results, if there.",
            show_default=False,
        ),
    ] = None,
    models_dir: ModelsDir = None,
    data_dir: DataDir = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Show what was measured as one HTML page; prints its path.

    The data, learning curves, results, confusion matrices with their pictures, accuracy against
    latency, calibration, heat maps, the label audit. Nothing is measured for it: what is missing
    is left out and the page names the command that makes it. Pictures come from the data set, if
    it is there. Needs the extra [report].
    """
    from fmnist_cli.files import write_text
    from fmnist_cli.inference.store import find_models_dir
    from fmnist_cli.report.inputs import Pictures, gather
    from fmnist_cli.report.page import make

    if out.is_dir():
        raise UsageError(f"{out} is a folder; name a file with -o")
    inputs = gather(results, find_models_dir(models_dir))
    pictures = Pictures.load(data_dir)
    page = make(inputs, pictures)
    write_text(out, page.html)
    if pictures.reason:
        sys.stderr.write(f"note: no pictures: {pictures.reason}\n")
    for name in inputs.passed_over:
        sys.stderr.write(f"note: {name} is passed over; another file holds the same kind\n")
    for notice in page.notices:
        sys.stderr.write(f"note: {notice}\n")
    typer.echo(str(out))
    if open_:
        typer.launch(out.absolute().as_uri())
