"""`fmnist classify INPUT…`: label pictures with an exported model."""

# Annotations are values here, not text: Typer would have to compile each at every start.

import gc
import math
import os
from typing import Annotated

import typer

from fmnist_cli.cli.options import (
    ModelsDir,
    Prepare,
    Unknown,
    UnknownAt,
    one_of,
    parse_shard,
    parse_size,
)
from fmnist_cli.errors import UsageError


def classify(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="Folders, pictures, glob patterns, zip and tar archives, Parquet and IDX files;"
            " - for paths on standard input.",
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="Name of an exported model, or an .onnx file; auto: resnet for images of the data"
            " set, photo for all else.",
        ),
    ] = "auto",
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            help="File for the rows (.jsonl, .csv, .parquet, .txt), repeatable; - for standard"
            " output, the default.",
        ),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="jsonl, csv, parquet or text, where the output's suffix does not say;"
            " else text on a terminal, jsonl.",
        ),
    ] = None,
    report: Annotated[
        list[str] | None,
        typer.Option(
            "--report",
            "--gallery",
            metavar="FILE",
            help="Also a page, one HTML file: counts, confidence, and pictures, the least sure"
            " first.",
        ),
    ] = None,
    sort_into: Annotated[
        str | None, typer.Option(help="Also sort the pictures into this folder, by label.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Sort copies (the default).")] = False,
    link: Annotated[bool, typer.Option("--link", help="Sort symbolic links.")] = False,
    move: Annotated[bool, typer.Option("--move", help="Sort the files themselves.")] = False,
    prepare: Prepare = "auto",
    save_prepared: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Also write what the model saw, as PNG."),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Candidates per row.")] = 3,
    threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help='Below this confidence the label is "unknown".'),
    ] = 0.0,
    unknown: Unknown = False,
    unknown_at: UnknownAt = None,
    embeddings: Annotated[
        bool,
        typer.Option("--embeddings", help="Also write the model's features; needs Parquet."),
    ] = False,
    errors_only: Annotated[
        bool, typer.Option("--errors-only", help="Write rows of rejected inputs only.")
    ] = False,
    max_errors: Annotated[
        int | None, typer.Option(min=0, help="Stop when more inputs than this are rejected.")
    ] = None,
    summary: Annotated[
        str | None, typer.Option(help="File for counts and settings of the run, as JSON.")
    ] = None,
    from_file: Annotated[
        str | None, typer.Option(help="Text file of paths, one per line; - for standard input.")
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", "-0", help="Paths in lists end in NUL, as of find -print0.")
    ] = False,
    no_recursive: Annotated[
        bool, typer.Option("--no-recursive", help="Leave folders within folders alone.")
    ] = False,
    include: Annotated[
        list[str] | None,
        typer.Option(help="Only paths that match this pattern (*, ?, **); repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="No paths that match this pattern; repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many pictures.")] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Part I of N, for many machines: 1/4, 2/4 …"),
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(help="Column of pictures in Parquet files.")
    ] = None,
    max_pixels: Annotated[
        str | None, typer.Option(help="Reject larger pictures, told by their header; 120M.")
    ] = None,
    max_bytes: Annotated[str | None, typer.Option(help="Reject larger files; 512M.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be read, or where pictures would go."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run into a file.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do the rejected inputs of the output again.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures per inference call; else by their cost.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; else one per available core.")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="What workers are: fork, spawn or threads; else the fastest that is safe."
        ),
    ] = None,
    provider: Annotated[
        str, typer.Option(help="What runs the model: cpu, cuda, openvino, coreml …")
    ] = "cpu",
    models_dir: ModelsDir = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
) -> None:
    """Label pictures: one row per input, in input order, on standard output or in files.

    Exit code 0: all labelled; 3: some inputs rejected, each with its reason in its row.
    """
    # Starting threads for linear algebra, of which there is none here, takes time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # while modules are loaded, which make no garbage
    from fmnist_cli.cli.labelling import Run, label
    from fmnist_cli.decode import MAX_PIXELS
    from fmnist_cli.engines import ENGINES
    from fmnist_cli.inference.classifier import Settings
    from fmnist_cli.inference.ood import known_share
    from fmnist_cli.preprocess import MODES
    from fmnist_cli.sinks.outputs import Wanted
    from fmnist_cli.sources import Inputs
    from fmnist_cli.sources.items import MAX_BYTES

    gc.enable()
    if math.isnan(threshold):
        raise UsageError("--threshold nan is no number; give one from 0 to 1")
    if sum((copy, link, move)) > 1 or ((copy or link or move) and sort_into is None):
        raise UsageError("--copy, --link and --move say how --sort-into works; give one of them")
    if report and len(report) > 1:
        raise UsageError("--report, also called --gallery, makes one page; give it once")
    bytes_ = parse_size(max_bytes, "--max-bytes", MAX_BYTES)
    code = label(
        Inputs(
            names=tuple(inputs or ()),
            from_file=from_file,
            null=null,
            recursive=not no_recursive,
            include=tuple(include or ()),
            exclude=tuple(exclude or ()),
            limit=limit,
            shard=parse_shard(shard) if shard else None,
            image_column=image_column,
            max_bytes=bytes_,
        ),
        Settings(
            mode=one_of(prepare, MODES, "--prepare"),
            top_k=top_k,
            threshold=threshold,
            unknown_at=(
                known_share("--unknown-at", unknown_at)
                if unknown or unknown_at is not None
                else None
            ),
            embeddings=embeddings,
            max_pixels=parse_size(max_pixels, "--max-pixels", MAX_PIXELS),
            max_bytes=bytes_,
        ),
        Wanted(
            outputs=tuple(output or ()),
            format=format_,
            page=report[0] if report else None,
            sort_into=sort_into,
            how="move" if move else "link" if link else "copy",
            save_prepared=save_prepared,
            errors_only=errors_only,
            summary=summary,
        ),
        Run(
            model=model,
            models_dir=models_dir,
            provider=provider,
            batch_size=batch_size,
            workers=workers,
            engine=None if engine is None else one_of(engine, tuple(ENGINES), "--engine"),
            max_errors=max_errors,
            dry_run=dry_run,
            resume=resume,
            retry_failed=retry_failed,
            quiet=quiet,
        ),
    )
    if code:
        raise typer.Exit(code)
