"""`fmnist learn`: a model of one's own classes from labelled pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fmnist_cli import __version__
from fmnist_cli.cli.options import Json, LabelsFile, LabelsRoot, require_extra
from fmnist_cli.cli.output import Level, Results, check_file, note, say
from fmnist_cli.errors import EXIT_REJECTED, UsageError

if TYPE_CHECKING:
    from fmnist_cli.labelled.evaluation import FolderEvaluation
    from fmnist_cli.labelled.pictures import LabelledPictures
    from fmnist_cli.learn.head import Held, Members

_MANY = 100  # classes


def learn(
    data: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Folder, or archive, with one folder per class."),
    ] = None,
    labels: LabelsFile = None,
    root: LabelsRoot = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The model; by default ./NAME.onnx, after the folder or file.",
            show_default=False,
        ),
    ] = None,
    add: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Go on from this own model: what it learned from is learned as well.",
            show_default=False,
        ),
    ] = None,
    fine_tune: Annotated[
        bool,
        typer.Option(
            "--fine-tune", help="Also train the network that sees the pictures; takes long."
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write an HTML page of the held-out pictures with a wrong label.",
            show_default=False,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Learn your own classes from labelled pictures.

    Five pictures of a class are a start. Says how good the model is on pictures that were held
    out. Exit code 3: some pictures could not be read; the model is made of the others.

    Examples:
        fmnist learn mine
        fmnist learn mine -o models/shop.onnx --report wrong.html
        fmnist learn --labels corrected.csv --root photos --add mine.onnx -o mine.onnx
    """
    if data is not None and data.suffix == ".onnx":
        raise UsageError(
            f"{data} is a model; name a folder of pictures. --add goes on from a model"
        )
    require_extra("train" if fine_tune else "learn")
    if add is not None and fine_tune:
        raise UsageError("--fine-tune needs all pictures; of old ones --add has only features")

    import numpy as np

    from fmnist_cli.evaluate.metrics import interval
    from fmnist_cli.files import check_target
    from fmnist_cli.inference.models import open_model
    from fmnist_cli.inference.session import Session
    from fmnist_cli.labelled.page import write_page
    from fmnist_cli.labelled.pictures import LabelledPictures
    from fmnist_cli.labelled.source import open_labelled
    from fmnist_cli.learn.head import cross_validate, fit
    from fmnist_cli.learn.model import remembered, write
    from fmnist_cli.learn.pictures import check, check_names, see
    from fmnist_cli.progress import progress

    labelled = open_labelled(data, labels, root)
    target = _target(output or Path(f"{Path(labelled.name).stem}.onnx"))
    if report is not None:
        check_file(check_target(report), read=filter(None, (data, labels, add)))
    results = Results(json_)
    base = open_model("photo" if add is None else str(add), quiet=True)
    old = None if add is None else remembered(base)
    kept, digests, again = check(labelled, Counter(() if old is None else old.labels.tolist()))
    session = Session(base)
    for words in labelled.left_out:
        note(f"left out: {words}")
    if again:
        note(f"left out: {again:,} pictures that are the same as another")
    with progress(not Level.quiet, lambda: len(kept)) as advance:
        new, found = see(labelled, kept, digests, session, advance)
    examples = new if old is None else old.updated(new)
    counts = Counter(examples.labels.tolist())
    check_names(counts, labelled.name)
    names = tuple(sorted(counts))
    members: Members = np.searchsorted(names, examples.labels)
    say(
        f"{len(members):,} pictures of {len(names):,} classes; fitting"
        + (" takes minutes with so many classes" if len(names) > _MANY else "")
    )
    strength, held = cross_validate(examples.embeddings, members)
    head = fit(examples.embeddings, members, strength)
    tuning: dict[str, float] | None = None
    if fine_tune:
        from fmnist_cli.learn.tune import tune
        from fmnist_cli.training.picture_views import enlarged

        pictures = LabelledPictures.read(labelled._replace(items=kept), enlarged(session.spec))
        tuned = tune(pictures, examples.embeddings, strength, base, say)
        with_, without = (_accuracy(one, members) for one in (tuned.held, held))
        tuning = {"tuned": with_, "frozen": without}
        words = f"held out: {with_:.1%} right fine-tuned, {without:.1%} without"
        if with_ > without:
            say(words)
            base, head, held = tuned
            examples, _ = see(labelled, kept, digests, Session(base))
        else:
            say(f"{words}; the model is the one without")
    head = head.calibrated(held.temperature(members))
    write(target, base, head, held, names, examples)
    # Of old pictures only features are left: they count, but are not shown.
    own = slice(len(members) - len(found), None)
    shown = held._replace(logits=held.logits[own], novelty=held.novelty[own])
    evaluation = _evaluation(found, names, shown)
    if report is not None:
        write_page(found, {target.stem: names}, {target.stem: evaluation}, report)
    results.show(_text(evaluation, found))
    say(
        f"{target}: {target.stat().st_size / 1e6:.1f} MB."
        f" Use it: fmnist classify PHOTOS -m {target.with_suffix('')} --unknown"
    )
    low, high = interval(_right(evaluation), evaluation.images, held.folds)
    results.write(
        {
            "version": __version__,
            "model": target.name,
            "classes": list(names),
            "learned": len(members),
            "folds": held.folds,
            "interval": [low, high],
            "fine_tuning": tuning,
            **evaluation.to_json(),
            "rejected": [{"path": row.path, "error": row.error} for row in found.rejected],
        }
    )
    if found.rejected:
        raise typer.Exit(EXIT_REJECTED)


def _target(path: Path) -> Path:
    """Where the model goes.

    Raises:
        UsageError: that is no place or no name for it.
    """
    from fmnist_cli.files import check_target
    from fmnist_cli.inference.models import manifests

    if path.suffix != ".onnx":
        raise UsageError(f"-o {path}: a model's file ends in .onnx")
    if any(path.stem in of.models for _, of in manifests()):
        raise UsageError(
            f"{path.stem} is the name of a model that is there already; give another with -o,"
            f" such as -o my-{path.stem}.onnx"
        )
    check_target(path)
    return path


def _accuracy(held: Held, members: Members) -> float:
    return float((held.logits.argmax(axis=1) == members).mean())


def _right(evaluation: FolderEvaluation) -> int:
    return sum(one.right or 0 for one in evaluation.folders)


def _evaluation(found: LabelledPictures, names: tuple[str, ...], held: Held) -> FolderEvaluation:
    """What held-out pictures were taken for."""
    from fmnist_cli.labelled.classes import FolderClasses
    from fmnist_cli.labelled.evaluation import evaluate_folders

    columns = {name: (at,) for at, name in enumerate(names) if name in found.folders}
    classes = FolderClasses(names, columns)
    return replace(evaluate_folders(found, classes, held.probabilities()), folds=held.folds)


def _text(evaluation: FolderEvaluation, found: LabelledPictures) -> str:
    """How good the model is, in tables."""
    from fmnist_cli.contract import printable
    from fmnist_cli.evaluate.metrics import interval
    from fmnist_cli.labelled.evaluation import folder_table

    right = _right(evaluation)
    low, high = interval(right, evaluation.images, evaluation.folds)
    lines = [f"not read: {printable(r.path)}: {printable(r.error)}" for r in found.rejected]
    lines += [
        f"held out in turn: {right:,} of {evaluation.images:,} right, {evaluation.accuracy:.1%}"
        f" (with 95 % confidence {low:.0%} to {high:.0%})",
        "",
        folder_table(evaluation),
    ]
    return "\n".join(lines)
