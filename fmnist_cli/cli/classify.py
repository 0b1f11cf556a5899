"""`fmnist classify INPUT…`: label pictures with an exported model."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fmnist_cli.cli.options import ModelsDir
from fmnist_cli.errors import EXIT_INTERRUPTED, EXIT_REJECTED, FmnistError, UsageError

if TYPE_CHECKING:
    from fmnist_cli.runtime.rows import Row


def _one_of(value: str, allowed: tuple[str, ...], option: str) -> str:
    if value not in allowed:
        choices = ", ".join(filter(None, allowed))
        raise UsageError(f"{option} {value!r} is unknown; choose from {choices}")
    return value


def classify(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Folders (read recursively) and files.")
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="Name of an exported model, or an .onnx file.")
    ] = "resnet",
    output: Annotated[
        str, typer.Option("--output", "-o", help="File for the rows; - for standard output.")
    ] = "-",
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="jsonl, csv or text; else by the output's suffix, text on a terminal, jsonl.",
        ),
    ] = None,
    prepare: Annotated[
        str, typer.Option(help="auto, frame (already 28×28 form) or product (plain background).")
    ] = "auto",
    top_k: Annotated[int, typer.Option(min=1, help="Candidates per row.")] = 3,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures per inference call.")] = 64,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; all available cores by default.")
    ] = None,
    models_dir: ModelsDir = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
) -> None:
    """Label pictures: one row per input, in input order, on standard output or in a file.

    Exit code 0: all labelled; 3: some inputs rejected, each with its reason in its row.
    """
    from fmnist_cli.prepare import MODES
    from fmnist_cli.runtime.output import open_output, partial_path
    from fmnist_cli.runtime.quiet import libraries_quiet
    from fmnist_cli.runtime.runner import classify_items
    from fmnist_cli.runtime.session import Session
    from fmnist_cli.runtime.sinks import FORMATS, open_sink
    from fmnist_cli.runtime.sources import open_sources
    from fmnist_cli.runtime.store import open_model
    from fmnist_cli.runtime.tally import Tally

    _one_of(prepare, MODES, "--prepare")
    target = None if output == "-" else Path(output)
    if format_ is None:
        by_suffix = {entry.suffix: name for name, entry in FORMATS.items()} | {"": "jsonl"}
        if target is not None:
            suffix = _one_of(target.suffix, tuple(by_suffix), "without --format, the output suffix")
            format_ = by_suffix[suffix]
        else:
            format_ = "text" if sys.stdout.isatty() else "jsonl"
    _one_of(format_, tuple(FORMATS), "--format")

    source = open_sources(inputs)
    session = Session(open_model(model, models_dir))
    tally = Tally(session.card.class_names)
    top_k = min(top_k, len(session.card.class_names))
    chunks = classify_items(
        source,
        session,
        session.card.class_names,
        mode=prepare,
        top_k=top_k,
        batch_size=batch_size,
        workers=workers,
    )
    try:
        with libraries_quiet(), closing(chunks):
            first = next(chunks, None)
            if first is None:
                skipped = f" (skipped, of other kinds: {source.skipped})" * bool(source.skipped)
                raise FmnistError(
                    f"no pictures found in {', '.join(map(str, inputs))}{skipped}."
                    " Pictures are told by suffix or content; hidden files are left alone"
                )
            with open_output(target) as stream, tally.progress(inputs, shown=not quiet) as advance:
                sink = open_sink(format_, stream, top_k)
                rows: list[Row] | None = first
                while rows is not None:
                    sink.write(rows)
                    if target is None:
                        stream.flush()
                    tally.add(rows)
                    advance(len(rows))
                    rows = next(chunks, None)
    except KeyboardInterrupt:
        kept = f"; the rows so far are in {partial_path(target)}" if target and tally.total else ""
        sys.stderr.write(f"\ninterrupted after {tally.total} pictures{kept}\n")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if not quiet:
        tally.print_summary(session.card, source.skipped, target)
    if tally.rejected:
        raise typer.Exit(EXIT_REJECTED)
