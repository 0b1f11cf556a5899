"""`fmnist evaluate`: how good exported models are, on the data set or on pictures of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fmnist_cli import __version__
from fmnist_cli.cli.options import (
    DataDir,
    Json,
    LabelsFile,
    LabelsRoot,
    Models,
    ModelsDir,
    Prepare,
    ResultsFile,
    Unknown,
    UnknownAt,
    open_named,
)
from fmnist_cli.cli.output import Level, Results, aligned, check_file, detail, note_altered, say
from fmnist_cli.errors import EXIT_REJECTED, DataError, ModelError, UsageError

if TYPE_CHECKING:
    from fmnist_cli.contract import Pixels, Probabilities
    from fmnist_cli.evaluate.metrics import ClassReport, Evaluation
    from fmnist_cli.inference.models import ModelFile
    from fmnist_cli.inference.session import Session
    from fmnist_cli.labelled.evaluation import FolderEvaluation
    from fmnist_cli.labelled.pictures import LabelledPictures
    from fmnist_cli.labelled.source import Labelled

_AT_ONCE = 250  # images, so that memory does not grow with those of the split
_INSTEAD = "--data DIR measures it on pictures of your own"

EvaluatedSplit = Literal["test", "validation"]  # those that are not trained on


def report_text(evaluation: Evaluation) -> str:
    """The per-class table in the layout of scikit-learn's classification report."""

    def row(one: ClassReport) -> tuple[str, ...]:
        shares = (f"{share:.4f}" for share in (one.precision, one.recall, one.f1))
        return (one.label, *shares, f"{one.support:,}")

    rows = [
        ("", "precision", "recall", "f1-score", "support"),
        ("",) * 5,
        *map(row, evaluation.per_class),
        ("",) * 5,
        ("accuracy", "", "", f"{evaluation.accuracy:.4f}", f"{evaluation.images:,}"),
        *map(row, (evaluation.macro, evaluation.weighted)),
    ]
    return aligned(rows, ">>>>>")


def confusion_text(evaluation: Evaluation) -> str:
    """The confusion matrix: a row per true class, a column per predicted class."""
    from fmnist_cli.labelled.evaluation import SHORT

    names = [c.label for c in evaluation.per_class]
    rows = [("true ↓ said →", *(name[:SHORT] for name in names))]
    for name, counts in zip(names, evaluation.confusion, strict=True):
        rows.append((name, *map(str, counts)))
    return aligned(rows, ">" * len(rows[0]))


def _probabilities(session: Session, frames: Pixels) -> Probabilities:
    """What a model says of images of the data set, whatever pixels it wants."""
    import numpy as np

    from fmnist_cli.preprocess import from_frames

    starts = range(0, len(frames), _AT_ONCE)
    parts = (from_frames(frames[at : at + _AT_ONCE], session.spec) for at in starts)
    return np.concatenate([session.probabilities(part) for part in parts])


def predictions_json(probabilities: Probabilities) -> dict[str, str]:
    """What was predicted image by image, in the order of the split, small enough to commit.

    ``class_id`` is base64 of uint8 [N]; ``confidence``, the probability of that class, is base64 of
    little-endian uint16 [N], 65535 standing for 1.
    """
    from base64 import b64encode

    import numpy as np

    chosen = probabilities.argmax(axis=1).astype(np.uint8)
    confidence = np.rint(probabilities.max(axis=1) * 65535).astype("<u2")
    return {
        "class_id": b64encode(chosen.tobytes()).decode(),
        "confidence": b64encode(confidence.tobytes()).decode(),
    }


def evaluate(
    model: Models = None,
    split: Annotated[
        EvaluatedSplit, typer.Option(help="Images of the data set to measure on.")
    ] = "test",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Measure on your own labelled pictures instead: one folder per class in DIR.",
        ),
    ] = None,
    labels: LabelsFile = None,
    root: LabelsRoot = None,
    prepare: Prepare = "auto",
    unknown: Unknown = False,
    unknown_at: UnknownAt = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --data: also write an HTML page of the pictures with a wrong label.",
        ),
    ] = None,
    json_: Json = False,
    output: ResultsFile = None,
    data_dir: DataDir = None,
    models_dir: ModelsDir = None,
) -> None:
    """Measure accuracy, loss and confusion of exported models.

    Exit code 3: some of your own pictures could not be read; the others are measured.

    Examples:
        fmnist evaluate -m resnet
        fmnist evaluate --data pictures -m photo --unknown --report wrong.html
        fmnist evaluate --labels corrected.csv --root pictures -m mine
    """
    own = data is not None or labels is not None
    about_own = (root, report, unknown_at) != (None, None, None) or unknown
    if not own and (about_own or prepare != "auto"):
        raise UsageError(
            "--root, --prepare, --unknown and --report go with --data DIR or --labels FILE"
        )
    results = Results(json_, output)
    read = [*filter(None, (data, labels)), *map(Path, model or ())]
    check_file(output, report, read=read)

    named = open_named(model, models_dir)
    for file in named.values():
        detail(f"model {file.name}: {file.path}, SHA-256 {file.sha256}")
    if not own:
        _on_data_set(named, model or (), split, data_dir, results)
        return

    from fmnist_cli.inference.ood import known_share
    from fmnist_cli.labelled.source import open_labelled

    asks = unknown or unknown_at is not None
    share = known_share("--unknown-at", unknown_at) if asks else None
    labelled = open_labelled(data, labels, root)
    if _on_folders(named, labelled, prepare, share, report, models_dir, results):
        raise typer.Exit(EXIT_REJECTED)


def _on_data_set(
    files: Mapping[str, ModelFile],
    asked: Sequence[str],
    split: EvaluatedSplit,
    data_dir: Path | None,
    results: Results,
) -> None:
    """Measure on a split of the data set.

    Raises:
        ModelError: a model that was asked for, or every model, is one of other classes.
    """
    import shlex

    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.data.fashion_mnist import CLASS_NAMES, knows_fashion_mnist, of_data_set
    from fmnist_cli.evaluate.metrics import evaluate as measure
    from fmnist_cli.evaluate.metrics import of_first
    from fmnist_cli.inference.session import Session
    from fmnist_cli.machine import available_cores

    images = load_split(split, data_dir)
    other_files = note_altered(split, data_dir)
    measured: dict[str, object] = {}
    summary: list[Sequence[str]] = [("model", "accuracy", "loss", "macro F1", "ECE")]
    for name, file in files.items():
        session = Session(file, threads=available_cores())
        knows = knows_fashion_mnist(session.card.class_names)
        if not knows and asked:
            raise ModelError(f"{file.path} knows other classes than Fashion-MNIST; {_INSTEAD}")
        if not asked and not of_data_set(session.card):
            what = "pictures" if knows else "classes"
            say(f"left out: {name} is a model of other {what}; {_INSTEAD}")
            continue
        # Of a model that knows further classes: which of these ten it is.
        probabilities = of_first(_probabilities(session, images.pixels), len(CLASS_NAMES))
        evaluation = measure(probabilities, images.labels, CLASS_NAMES)
        measured[name] = {
            "sha256": file.sha256,
            **asdict(evaluation),
            "predictions": predictions_json(probabilities),
        }
        e = evaluation
        figures = (e.accuracy, e.loss, e.macro.f1, e.calibration_error)
        summary.append((name, *map("{:.4f}".format, figures)))
        results.show(
            f"{name} on {evaluation.images:,} {split} images\n"
            f"loss {evaluation.loss:.4f}, calibration error {evaluation.calibration_error:.4f}\n\n"
            f"{report_text(evaluation)}\n\n{confusion_text(evaluation)}\n"
        )
    if not measured:
        raise ModelError("no model is one of Fashion-MNIST's images; give --data DIR, or name one")
    if len(measured) > 1:
        results.show(aligned(summary, "<>>>>"))
    # File names without their folders: the checksums say which files they were.
    chosen = [word for one in asked for word in ("--model", Path(one).name)]
    results.write(
        {
            "command": shlex.join(["fmnist", "evaluate", *chosen, "--split", split]),
            "version": __version__,
            "split": split,
            "altered": other_files,
            "models": measured,
        }
    )


def _on_folders(
    files: Mapping[str, ModelFile],
    labelled: Labelled,
    prepare: str,
    unknown_at: float | None,
    report: Path | None,
    models_dir: Path | None,
    results: Results,
) -> bool:
    """Measure on labelled pictures; whether some pictures could not be read.

    Args:
        unknown_at: share of known pictures that keeps its label; None not to ask what is unknown.

    Raises:
        FmnistError: it cannot be done, with the reason.
    """
    from fmnist_cli.files import check_target
    from fmnist_cli.inference.classifier import route_of
    from fmnist_cli.inference.ood import open_guard
    from fmnist_cli.inference.session import Session
    from fmnist_cli.labelled.evaluation import evaluate_folders, judge
    from fmnist_cli.labelled.page import write_page
    from fmnist_cli.labelled.pictures import LabelledPictures
    from fmnist_cli.labelled.source import resolve
    from fmnist_cli.machine import available_cores
    from fmnist_cli.preprocess import check_mode
    from fmnist_cli.progress import progress

    if report is not None:
        check_target(report)
    # Before any picture is read, which takes time.
    folders = labelled.names()
    routes = {}
    for name, file in files.items():
        session = Session(file, threads=available_cores())
        check_mode(prepare, session.spec)
        resolve(folders, session.card.class_names, source=labelled.name)
        guard = open_guard(unknown_at, session.card, models_dir)
        routes[name] = route_of(session, guard)
    measured: dict[str, FolderEvaluation] = {}
    read: list[LabelledPictures] = []
    # The pictures are read once for all models that want the same, and then let go.
    specs = [route.spec for route in routes.values()]  # which cannot be hashed
    for spec in (spec for at, spec in enumerate(specs) if spec not in specs[:at]):
        with progress(not Level.quiet, None) as advance:
            found = LabelledPictures.read(labelled, spec, prepare, advance=advance)
        if read and found.paths != read[0].paths:
            raise DataError(f"the pictures of {labelled.name} changed while they were read")
        for name, route in routes.items():
            if route.spec == spec:
                classes = resolve(found.folders, route.class_names)
                measured[name] = evaluate_folders(found, classes, *judge(found, route))
        read.append(replace(found, pixels=found.pixels[:0]))
    measured = {name: measured[name] for name in files}
    found = read[0]
    # How many pictures were prepared how, for any of the models.
    counts: Counter[str] = Counter()
    for one in read:
        counts |= Counter(one.prepared)
    prepared = dict(counts.most_common())
    results.show(_folders_text(found, prepared, measured))
    if report is not None:
        write_page(found, measured, report)
    results.write(
        {
            "version": __version__,
            "pictures": {
                # Folders without those above them: what was measured, not where it lies.
                "folder": labelled.name,
                "prepare": found.mode,
                "unknown_at": unknown_at,
                "images": len(found),
                "prepared": prepared,
                "rejected": [row._asdict() for row in found.rejected],
            },
            "models": {
                name: {
                    "sha256": files[name].sha256,
                    "class_names": list(result.class_names),
                    **result.to_json(),
                }
                for name, result in measured.items()
            },
        }
    )
    return bool(found.rejected)


def _folders_text(
    found: LabelledPictures,
    counts: Mapping[str, int],
    results: Mapping[str, FolderEvaluation],
) -> str:
    from fmnist_cli.contract import printable
    from fmnist_cli.labelled.evaluation import (
        accuracy_words,
        confusion_rows,
        folder_rows,
        unknown_words,
    )

    prepared = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    lines = [f"{len(found):,} pictures of {found.labelled.name}, prepared: {prepared}"]
    lines += [f"left out: {words}" for words in found.labelled.left_out]
    lines += [f"not read: {printable(r.path)}: {printable(r.error)}" for r in found.rejected]
    lines.append("")
    for name, result in results.items():
        confusion = confusion_rows(result)
        lines += [
            f"{name}: {accuracy_words(result)}",
            *filter(None, [unknown_words(result)]),
            "",
            aligned(folder_rows(result), f"<>>>{'>' * (result.unknown is not None)}<"),
            "",
            aligned(confusion, ">" * len(confusion[0])),
            "",
        ]
    if len(results) > 1:
        rows = [("model", "accuracy", "macro")]
        rows += [
            (name, f"{result.accuracy:.4f}", f"{result.macro_accuracy:.4f}")
            for name, result in results.items()
        ]
        lines.append(aligned(rows, "<>>"))
    return "\n".join(lines)
