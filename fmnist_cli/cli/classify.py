"""`fmnist classify INPUT…`: label pictures with an exported model."""

# Annotations are values here, not text: Typer would have to compile each at every start.

import gc
import math
import os
from contextlib import nullcontext
from functools import partial
from typing import Annotated

import typer

from fmnist_cli.cli.options import (
    MODEL,
    ModelsDir,
    Prepare,
    Unknown,
    UnknownAt,
    complete_model,
    one_of,
    parse_shard,
    parse_size,
)
from fmnist_cli.errors import UsageError

_model = partial(typer.Option, rich_help_panel=MODEL)
_choice = partial(typer.Option, rich_help_panel="Which pictures")
_output = partial(typer.Option, rich_help_panel="Output")
_run = partial(typer.Option, rich_help_panel="Run")


def classify(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[INPUT]...",
            help="Folders, pictures, glob patterns, zip and tar archives, Parquet and IDX files,"
            " URLs such as s3://bucket/photos/; - reads paths from standard input.",
        ),
    ] = None,
    model: Annotated[
        str,
        _model(
            "--model",
            "-m",
            metavar="MODEL",
            envvar="FMNIST_MODEL",
            help="Name of a model, or an .onnx file; auto takes resnet for images of the data set"
            " and photo for all others.",
            autocompletion=complete_model,
        ),
    ] = "auto",
    output: Annotated[
        list[str] | None,
        _output(
            "--output",
            "-o",
            metavar="FILE",
            help="File for the rows (.jsonl, .csv, .excel.csv, .parquet, .txt) or for the page"
            " (.html), repeatable; - is standard output, the default; DIR/ or URL/ is a folder of"
            " parts.",
        ),
    ] = None,
    format_: Annotated[
        str | None,
        _output(
            "--format",
            metavar="FORMAT",
            help="jsonl, csv, excel, parquet or text, where the file's suffix does not say it; by"
            " default text on a terminal, else jsonl.",
        ),
    ] = None,
    report: Annotated[
        list[str] | None,
        _output(
            "--report",
            metavar="FILE",
            help="Also write an HTML page: counts, confidence, and pictures, the least sure first.",
        ),
    ] = None,
    gallery: Annotated[list[str] | None, typer.Option("--gallery", hidden=True)] = None,
    sort_into: Annotated[
        str | None,
        _output(metavar="DIR", help="Also sort the pictures into this folder, by label."),
    ] = None,
    copy: Annotated[bool, _output("--copy", help="Sort copies (the default).")] = False,
    link: Annotated[bool, _output("--link", help="Sort symbolic links.")] = False,
    move: Annotated[bool, _output("--move", help="Sort the files themselves.")] = False,
    prepare: Prepare = "auto",
    save_prepared: Annotated[
        str | None, _output(metavar="DIR", help="Also write what the model saw, as PNG files.")
    ] = None,
    top_k: Annotated[int, _output(min=1, max=1000, metavar="N", help="Candidates per row.")] = 3,
    threshold: Annotated[
        float,
        _model(min=0, max=1, metavar="SHARE", help='Below this confidence the label is "unknown".'),
    ] = 0.0,
    unknown: Unknown = False,
    unknown_at: UnknownAt = None,
    embeddings: Annotated[
        bool, _output("--embeddings", help="Also write the model's features; needs a Parquet file.")
    ] = False,
    force: Annotated[
        bool,
        _output("--force", help="Write into a folder that is not empty; no file is replaced."),
    ] = False,
    errors_only: Annotated[
        bool, _output("--errors-only", help="Write rows of rejected inputs only.")
    ] = False,
    max_errors: Annotated[
        int | None, _run(min=0, metavar="N", help="Stop when more inputs than this are rejected.")
    ] = None,
    summary: Annotated[
        str | None,
        _output(metavar="FILE", help="Also write counts and settings of the run, as JSON."),
    ] = None,
    from_file: Annotated[
        str | None,
        _choice(
            metavar="FILE", help="Text file of paths and URLs, one per line; - is standard input."
        ),
    ] = None,
    null: Annotated[
        bool,
        _choice("--null", "-0", help="Paths in lists end in NUL, as find -print0 writes them."),
    ] = False,
    no_recursive: Annotated[
        bool, _choice("--no-recursive", help="Do not look into subfolders.")
    ] = False,
    include: Annotated[
        list[str] | None,
        _choice(
            metavar="PATTERN",
            help="Take only paths that match this pattern (*, ?, **); repeatable.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        _choice(metavar="PATTERN", help="Take no paths that match this pattern; repeatable."),
    ] = None,
    limit: Annotated[
        int | None, _choice(min=1, metavar="N", help="Stop after this many pictures.")
    ] = None,
    shard: Annotated[
        str | None,
        _choice(
            metavar="I/N", help="Take part I of N, to share the work among machines: 1/4, 2/4 …"
        ),
    ] = None,
    image_column: Annotated[
        str | None, _choice(metavar="NAME", help="Column of Parquet files that holds the pictures.")
    ] = None,
    max_pixels: Annotated[
        str | None,
        _choice(
            metavar="N",
            help="Reject pictures with more pixels than this, such as 50M; 120M by default.",
        ),
    ] = None,
    max_bytes: Annotated[
        str | None,
        _choice(
            metavar="N",
            help="Reject files with more bytes than this, such as 50M; 512M by default.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        _run(
            "--dry-run",
            help="Label nothing; say what would be read or, with --sort-into, where pictures"
            " would go.",
        ),
    ] = False,
    resume: Annotated[
        bool,
        _run(
            "--resume",
            "--update",
            help="Continue an interrupted run into a file; of a finished one, do the inputs that"
            " are new or have changed.",
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        _run("--retry-failed", help="Label only the inputs again that the output has as rejected."),
    ] = False,
    batch_size: Annotated[
        int | None,
        _run(
            min=1,
            max=65536,
            metavar="N",
            help="Pictures per call of the model; by default as fits their cost.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        _run(min=1, max=1024, metavar="N", help="Processes; by default one per available core."),
    ] = None,
    memory: Annotated[
        str | None,
        _run(
            metavar="SIZE",
            help="Memory of the whole run, such as 8G, shared by the workers; by default half of"
            " what there is, and 1 GiB for each.",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        _run(
            metavar="NAME",
            help="What workers are: fork, spawn or threads, by default the fastest that is safe;"
            " or ray, a cluster, with -o DIR/.",
        ),
    ] = None,
    address: Annotated[
        str | None,
        _run(metavar="ADDRESS", help="With --engine ray: the cluster, such as auto."),
    ] = None,
    timeout: Annotated[
        float,
        _run(
            min=0.001,
            max=86400,
            metavar="SECONDS",
            help="Reject a picture that takes longer than this; 60 by default.",
            show_default=False,
        ),
    ] = 60.0,
    provider: Annotated[
        str, _run(metavar="NAME", help="What runs the model: cpu, cuda, openvino, coreml …")
    ] = "cpu",
    models_dir: ModelsDir = None,
) -> None:
    """Label pictures.

    Every input gets one row, in input order, on standard output or in files. Exit code 0: all
    pictures have a label; 3: some inputs are rejected, and their rows say why.

    Examples:
        fmnist classify photos -o labels.csv --report labels.html
        fmnist classify shards/*.tar -o labels.parquet --resume
        find . -name '*.jpg' -print0 | fmnist classify -0 - > labels.jsonl
    """
    # Starting threads for linear algebra, of which there is none here, takes time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # while modules are loaded, which make no garbage
    from fmnist_cli.cli.labelling import RAY, Run, label
    from fmnist_cli.decode import MAX_PIXELS, MEMORY
    from fmnist_cli.engines import ENGINES
    from fmnist_cli.engines.early import is_early
    from fmnist_cli.inference.classifier import Settings
    from fmnist_cli.inference.ood import known_share
    from fmnist_cli.machine import bounded_memory, memory_share
    from fmnist_cli.preprocess import MODES
    from fmnist_cli.sinks.outputs import Wanted
    from fmnist_cli.sources import Inputs
    from fmnist_cli.sources.items import MAX_BYTES

    gc.freeze()  # what is loaded stays; looking through it again and again takes time
    gc.enable()
    for option, number in (("--threshold", threshold), ("--timeout", timeout)):
        if math.isnan(number):
            raise UsageError(f"{option} nan is no number; see --help")
    if sum((copy, link, move)) > 1 or ((copy or link or move) and sort_into is None):
        raise UsageError("--copy, --link and --move say how --sort-into works; give one of them")
    pages = [*(report or ()), *(gallery or ())]
    if len(pages) > 1:
        raise UsageError("--report makes one page; give it once")
    asked = None if memory is None else parse_size(memory, "--memory", 0)
    if engine == RAY:  # whose machines may be others; a part has this many
        workers = workers or 1
    workers, share = memory_share(asked, workers)
    share = share if asked else min(share, MEMORY)
    bytes_ = parse_size(max_bytes, "--max-bytes", min(MAX_BYTES, share // 2))
    if bytes_ > share // 2:
        raise UsageError(
            f"--max-bytes {max_bytes} is more than half of a worker's memory, {share >> 20:,} MiB;"
            " give a larger --memory, or fewer --workers"
        )
    # Devices reserve addresses without using memory, and Ray bounds its own processes.
    with bounded_memory(share) if provider == "cpu" and engine != RAY else nullcontext():
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
                memory=share,
            ),
            Wanted(
                outputs=tuple(output or ()),
                format=format_,
                page=pages[0] if pages else None,
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
                engine=None if engine is None else one_of(engine, (*ENGINES, RAY), "--engine"),
                address=address,
                timeout=timeout,
                early=is_early() and engine is None and provider == "cpu",
                max_errors=max_errors,
                dry_run=dry_run,
                resume=resume,
                retry_failed=retry_failed,
                force=force,
            ),
        )
    if code:
        raise typer.Exit(code)
