"""`fmnist prepare IMAGE…` and `fmnist report`: pages to look at."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from fmnist_cli.cli.options import MODEL, DataDir, Force, ModelsDir, Prepare, complete_model
from fmnist_cli.cli.output import check_file, note, say, show
from fmnist_cli.errors import EXIT_REJECTED, FmnistError, UsageError


def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...", help="Pictures, folders, patterns and archives, as for classify."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder for a page that shows each picture before and after.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            envvar="FMNIST_MODEL",
            help="Name of a model, or an .onnx file.",
            autocompletion=complete_model,
            rich_help_panel=MODEL,
        ),
    ] = "resnet",
    prepare: Prepare = "auto",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after this many pictures.")
    ] = None,
    force: Force = False,
    models_dir: ModelsDir = None,
) -> None:
    """Show how pictures are prepared for a model.

    Each picture gets a line that says how; -o shows it before and after. Exit code 0: all
    pictures are prepared; 3: some inputs are rejected, each with its reason.

    Examples:
        fmnist prepare photos --model photo -o prepared
        fmnist prepare shoe.jpg --prepare product
    """
    from fmnist_cli.contract import Rejected, printable
    from fmnist_cli.decode.quiet import libraries_quiet
    from fmnist_cli.engines import default_engine, ordered_map
    from fmnist_cli.files import check_folder
    from fmnist_cli.html.folder import PANEL, write_pairs
    from fmnist_cli.inference.models import open_model
    from fmnist_cli.inference.session import Session
    from fmnist_cli.machine import available_cores
    from fmnist_cli.preprocess import check_mode
    from fmnist_cli.preprocess.pipeline import Framer, Prepared
    from fmnist_cli.sources import Inputs, check_beside, outside

    if model == "auto":
        raise UsageError("--model auto stands for two models; name one of them")
    spec = Session(open_model(model, models_dir)).spec
    check_mode(prepare, spec)
    if output is not None:
        check_folder(output, force=force)
    request = Inputs(tuple(inputs), limit=limit)
    source = request.open()
    if output is not None:
        check_beside("-o", output, source.folders)
    framer = Framer(spec, prepare, side=0 if output is None else PANEL)
    pairs: list[Prepared] = []
    rejected: list[Rejected] = []
    items = source if output is None else outside(source, "-o", output)
    work = ordered_map(framer, items, workers=available_cores(), engine=default_engine())
    seen = 0
    with libraries_quiet(), closing(work):
        for seen, result in enumerate(chain.from_iterable(work), start=1):  # noqa: B007
            if isinstance(result, Rejected):
                rejected.append(result)
                show(f"{'rejected':<9}  {printable(result.path)}: {printable(result.error)}")
                continue
            show(f"{result.prepared:<9}  {printable(result.path)}")
            if output is not None:
                pairs.append(result)
    if not seen:
        raise FmnistError(
            f"no pictures found in {request}."
            " Pictures are recognised by suffix or content; hidden files are not read"
        )
    if output is not None:
        write_pairs(output, pairs, rejected)
        say(f"{len(pairs):,} before and after in {output}")
    if rejected:
        raise typer.Exit(EXIT_REJECTED)


def report(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File for the page.")
    ] = Path("report.html"),
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            help="Folder of JSON results, of any names. Default: ./benchmarks/results, if there.",
        ),
    ] = None,
    models_dir: ModelsDir = None,
    data_dir: DataDir = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Put all measurements on one HTML page.

    Prints the path of the page. It shows the data, learning curves, results, confusion matrices
    with their pictures, accuracy against latency, calibration, heat maps and the label audit. The
    command measures nothing: for what is missing the page names the command that makes it.
    Pictures come from the data set, if it is there. Needs the extra [report].

    Examples:
        fmnist report --open
        fmnist report --results results -o page.html
    """
    from fmnist_cli.files import write_text
    from fmnist_cli.inference.models import find_models_dir
    from fmnist_cli.report.inputs import DEFAULT_RESULTS, KINDS, Pictures, gather
    from fmnist_cli.report.page import make

    check_file(output)
    inputs = gather(results, find_models_dir(models_dir))
    pictures = Pictures.load(data_dir)
    page = make(inputs, pictures)
    write_text(output, page.html)
    if not inputs.sources:
        evaluated, measured = (
            (results or DEFAULT_RESULTS) / KINDS[kind].usual for kind in ("evaluation", "bench")
        )
        note(
            f"there is nothing to report yet. Run: fmnist evaluate -o {evaluated}, fmnist bench -o"
            f" {measured}, then this again; the page names the command for each missing part"
        )
    else:
        if pictures.reason:
            note(f"no pictures: {pictures.reason}")
        for name in inputs.passed_over:
            note(f"{name} is passed over; another file holds the same kind")
        for notice in page.notices:
            note(notice)
    show(str(output))
    if open_:
        typer.launch(output.absolute().as_uri())
