"""`fmnist prepare IMAGE…`: how pictures become what a model sees."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import ModelsDir, Prepare
from fmnist_cli.errors import EXIT_REJECTED, FmnistError


def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...", help="Pictures, folders, patterns and archives, as for classify."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for pictures of before and after, and a page."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Name of an exported model, or an .onnx file.")
    ] = "resnet",
    prepare: Prepare = "auto",
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many pictures.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that is not empty.")
    ] = False,
    models_dir: ModelsDir = None,
) -> None:
    """Say how each picture is prepared, and show it beside what the model sees.

    Exit code 0: all prepared; 3: some inputs rejected, each with its reason.
    """
    from fmnist_cli.decode import MAX_PIXELS
    from fmnist_cli.decode.quiet import libraries_quiet
    from fmnist_cli.errors import ImageError
    from fmnist_cli.html.contact_sheet import original
    from fmnist_cli.html.folder import PANEL, check_folder
    from fmnist_cli.html.prepared import Pair, write_pairs
    from fmnist_cli.inference.session import Session
    from fmnist_cli.inference.store import open_model
    from fmnist_cli.preprocess import check_mode
    from fmnist_cli.preprocess.frames import Framer, Prepared
    from fmnist_cli.rows import Rejected
    from fmnist_cli.sinks.text import printable
    from fmnist_cli.sources.request import Inputs

    spec = Session(open_model(model, models_dir)).spec
    check_mode(prepare, spec)
    if output is not None:
        check_folder(output, force=force)
    request = Inputs(tuple(inputs), limit=limit)
    framer = Framer(spec, prepare)
    pairs: list[Pair] = []
    rejected: list[Rejected] = []
    seen = 0
    with libraries_quiet():
        for seen, item in enumerate(request.open(), start=1):  # noqa: B007
            (result,) = framer([item])
            if isinstance(result, Prepared) and output is not None:
                try:
                    before = original(item.read(request.max_bytes), PANEL, MAX_PIXELS)
                    pairs.append(Pair(item.path, before, result.pixels, result.prepared))
                except ImageError as error:  # changed since
                    result = Rejected(item.path, str(error))
            if isinstance(result, Rejected):
                rejected.append(result)
                line = f"{'rejected':<9}  {printable(item.path)}: {printable(result.error)}"
            else:
                line = f"{result.prepared:<9}  {printable(item.path)}"
            sys.stdout.write(f"{line}\n")
    if not seen:
        raise FmnistError(
            f"no pictures found in {request}."
            " Pictures are told by suffix or content; hidden files are left alone"
        )
    if output is not None:
        write_pairs(output, pairs, rejected)
        sys.stderr.write(f"{len(pairs):,} before and after in {output}\n")
    if rejected:
        raise typer.Exit(EXIT_REJECTED)
