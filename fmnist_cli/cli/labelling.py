"""The work behind `fmnist classify`: a run, its words on standard error, its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import onnxruntime

from fmnist_cli import __version__
from fmnist_cli.cli.output import Level, detail, note, say, show, tell, words
from fmnist_cli.contract import printable
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.engines import TIMEOUT, default_engine, ordered_map
from fmnist_cli.errors import DEBUG, EXIT_INTERRUPTED, EXIT_REJECTED, FmnistError, UsageError
from fmnist_cli.inference.classifier import AUTO, PHOTOS, Classifier, Models, Settings, open_models
from fmnist_cli.inference.models import manifests
from fmnist_cli.progress import Tally, progress
from fmnist_cli.run import Job
from fmnist_cli.sinks.outputs import Outputs, Plan, Wanted, is_folder, open_stream
from fmnist_cli.sources import Inputs, OpenInputs

if TYPE_CHECKING:
    from fmnist_cli.store import Store

RAY = "ray"


class Run(NamedTuple):
    """How a run is done; nothing here changes a row, except the model."""

    model: str = AUTO
    models_dir: Path | None = None
    provider: str = "cpu"
    batch_size: int | None = None
    workers: int = 1
    engine: str | None = None
    address: str | None = None
    timeout: float = TIMEOUT
    early: bool = False
    max_errors: int | None = None
    dry_run: bool = False
    resume: bool = False
    retry_failed: bool = False
    force: bool = False


def label(inputs: Inputs, settings: Settings, wanted: Wanted, run: Run) -> int:
    """Do it; the exit code.

    Raises:
        FmnistError: it cannot be done, with the reason.
    """
    into_folder = any(map(is_folder, wanted.outputs))
    if run.engine == RAY and (not into_folder or run.provider != "cpu"):
        raise UsageError(f"--engine {RAY} makes a folder of parts, on CPUs; give -o FOLDER/")
    if run.address is not None and run.engine != RAY:
        raise UsageError(f"--address is of a cluster; it needs --engine {RAY}")
    # The shares of a folder are parts, not pictures.
    source = (inputs._replace(shard=None) if into_folder else inputs).open()
    if run.dry_run and wanted.sort_into is None:
        from fmnist_cli.cli.inventory import print_inventory

        with libraries_quiet():
            print_inventory(source)
        return 0
    if wanted.sort_into and wanted.how != "copy" and source.archives:
        raise UsageError(
            f"--{wanted.how} needs files on this disk, but the pictures of {source.archives[0]} are"
            " none; use --copy"
        )
    outputs = Outputs.of(wanted, settings, source.folders, models=run.model == AUTO)
    if outputs.shows_pictures and not source.repeatable:
        raise UsageError(
            "--report and --sort-into go through the inputs twice, which a stream does not"
            " allow; write the list to a file and give it with --from-file"
        )
    models = open_models(run.model, settings, run.models_dir, provider=run.provider)
    for spec in models.specs.values():
        if (run.batch_size or 1) * prod(spec.shape) > settings.memory // 4:
            raise UsageError(
                f"--batch-size {run.batch_size or 1:,} of {spec.width}×{spec.height} pixels takes"
                " too much memory; give a smaller one, or a larger --memory"
            )
    outputs.check(source, models.files)
    options = _options(inputs, settings, wanted, run, models, into_folder=into_folder)
    with ExitStack() as stack:
        stack.callback(source.close)
        resuming = run.resume or run.retry_failed
        force = run.force or resuming
        plan = outputs.plan(models.card, options, force, models.specs)
        if run.dry_run:
            from tempfile import TemporaryDirectory

            folder = Path(stack.enter_context(TemporaryDirectory()))
            plan = _rehearsal(outputs, folder, options, force)
        if plan is None and outputs.folder is None and resuming:
            raise UsageError("--resume and --retry-failed need an output in a file; use -o FILE")
        save = None if run.dry_run else outputs.frame_folder(force)
        for file in models.files:
            detail(f"model file: {file}")
        classifier = Classifier(
            *models.routes, settings=settings, batch_size=run.batch_size, save=save
        )
        engine = None if run.engine == RAY else run.engine  # of each machine
        job = Job(
            source=source,
            classify=classifier,
            many=source.many,
            tally=Tally(models.card.class_names),
            plan=plan,
            errors_only=wanted.errors_only,
            max_errors=run.max_errors,
            workers=run.workers,
            batch_size=run.batch_size,
            # A session on a device does not survive forking.
            engine=engine or (default_engine() if run.provider == "cpu" else "threads"),
            timeout=run.timeout,
            early=run.early,
        )
        stack.enter_context(libraries_quiet())
        if outputs.stream and not run.dry_run:
            stream = stack.enter_context(open_stream(outputs.stream[0]))
            job.stream = (stream, outputs.lines(outputs.stream[1]))
        counting = stack.enter_context(
            progress(not Level.quiet, partial(_count, source) if source.countable else None)
        )
        try:
            if outputs.folder is None:
                fresh = job.run(resume=run.resume, retry=run.retry_failed, advance=counting)
            else:
                share = inputs.shard or (1, 1)
                filled = _fill(job, outputs, outputs.folder, share, run, options, counting)
                if filled and not job.tally.total:
                    say(f"of these pictures no part falls to --shard {share[0]}/{share[1]}")
                    return 0
                fresh = job.tally.total > job.tally.known
        except KeyboardInterrupt:
            kept = "; go on with --resume" if plan and job.tally.total else ""
            if outputs.folder is not None:
                kept = "; the same command goes on"
            tell(f"\ninterrupted after {job.tally.total:,} pictures{kept}")
            return EXIT_INTERRUPTED
    code = _report(job, fresh, inputs, source, outputs, models, options)
    if not Level.quiet and _are_photos(job.tally, settings) and _has_photo_model(run.models_dir):
        note(
            f"most of these are no frames as {options['model']} knows them;"
            f" --model {PHOTOS} (or {AUTO}) is made for such pictures"
        )
    return code


def _fill(
    job: Job,
    outputs: Outputs,
    folder: Store,
    share: tuple[int, int],
    run: Run,
    options: dict[str, Any],
    advance: Callable[[int], object],
) -> int:
    """Make those parts of a folder that are not there; how many there are in all."""
    from fmnist_cli.parts import Parts, begin, fill
    from fmnist_cli.sinks.parquet import ParquetSink

    parts = Parts(
        folder,
        begin(folder, options),
        job.classify,
        partial(
            ordered_map,
            workers=job.workers,
            batch_size=job.batch_size,
            engine=job.engine,
            many=job.many,
            timeout=job.timeout,
        ),
        partial(
            ParquetSink,
            top_k=outputs.settings.top_k,
            models=outputs.models,
            embeddings=outputs.settings.embeddings,
        ),
        run.retry_failed,
    )
    if run.engine != RAY:
        return fill(job, parts, share, advance=advance)
    from fmnist_cli.engines.ray import spread

    on_cluster = partial(
        spread, address=run.address, cores=run.workers, memory=outputs.settings.memory
    )
    return fill(job, parts, share, on_cluster, advance)


def _are_photos(tally: Tally, settings: Settings) -> bool:
    """Whether a model of frames was given pictures that mostly are none, and nobody meant it."""
    labelled = tally.total - tally.rejected
    return settings.mode == "auto" and 2 * tally.prepared["product"] > labelled


def _has_photo_model(models_dir: Path | None) -> bool:
    return any(PHOTOS in manifest.models for _, manifest in manifests(models_dir))


def _count(source: OpenInputs) -> int:
    return sum(1 for _ in deepcopy(source))  # a source counts what it skips


def _options(
    inputs: Inputs,
    settings: Settings,
    wanted: Wanted,
    run: Run,
    models: Models,
    *,
    into_folder: bool,
) -> dict[str, Any]:
    """Everything that decides what the rows are, in the words of the command line."""
    if into_folder:  # which may be filled by several machines
        inputs, wanted = inputs._replace(shard=None), Wanted()
    return {
        **models.record,
        "provider": run.provider,
        **settings._asdict(),
        **inputs.public._asdict(),
        **wanted._asdict(),
        "fmnist": __version__,
        "onnxruntime": onnxruntime.__version__,
        "opencv": cv2.__version__,
    }


def _rehearsal(outputs: Outputs, folder: Path, options: dict[str, Any], force: bool) -> Plan:
    """A run that only prints where the sorted tree would put its pictures."""
    from fmnist_cli.sinks.tree import TreeSink

    tree = outputs.tree
    if tree is None:
        raise UsageError("--dry-run of outputs needs --sort-into")

    def sinks() -> list[Any]:
        return [TreeSink(tree, outputs.wanted.how, dry_run=True, force=force, report=show)]

    return Plan(folder / "rows", outputs.lines("jsonl"), [sinks], options)


def _report(
    job: Job,
    fresh: bool,
    inputs: Inputs,
    source: OpenInputs,
    outputs: Outputs,
    models: Models,
    options: dict[str, Any],
) -> int:
    tally = job.tally
    skipped = printable(str(source.skipped))
    if not tally.total:
        if not source.folders and not source.files and not source.remote:
            raise FmnistError(f"there is nothing to classify in {inputs}: the list is empty")
        raise FmnistError(
            f"no pictures found in {inputs}{f' ({skipped})' if skipped else ''}."
            " Pictures are recognised by suffix or content; hidden files are not read"
        )
    if outputs.summary is not None:
        from fmnist_cli.files import write_text

        counts = {"options": options, **tally.counts(), "skipped": skipped, **tally.timing()}
        write_text(outputs.summary, json.dumps(counts, indent=1) + "\n")
    if not fresh:
        what = "do: the output is complete" if outputs.folder is None else "label: all is in parts"
        say(f"nothing left to {what}")
    elif not Level.quiet:
        words(tally.summary(models.card, skipped, outputs.told()))
        if job.changes:
            tell(f"since the run before: {job.changes}; all other rows stay as they were")
    if tally.unexpected:
        say(f"hint: {DEBUG}=1 shows where an unexpected error happened; please report it")
    if outputs.problems():
        tell(outputs.problems())
    return EXIT_REJECTED if tally.rejected or outputs.problems() else 0
