"""`fmnist evaluate`: accuracy, loss, per-class report and confusion of exported models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fmnist_cli.cli.options import (
    Classes,
    DataDir,
    JsonFile,
    Models,
    ModelsDir,
    Prepare,
    Unknown,
    UnknownAt,
)
from fmnist_cli.errors import ModelError, UsageError

if TYPE_CHECKING:
    from fmnist_cli.contract import Pixels, Probabilities
    from fmnist_cli.evaluate.metrics import Evaluation
    from fmnist_cli.inference.session import Session


_AT_ONCE = 250  # images, so that memory does not grow with those of the split
_INSTEAD = "--data DIR measures it on pictures of your own"

EvaluatedSplit = Literal["test", "validation"]  # those that are not trained on


def report_text(evaluation: Evaluation) -> str:
    """The per-class table in the layout of scikit-learn's classification report."""
    lines = [f"{'':>13} {'precision':>10} {'recall':>10} {'f1-score':>10} {'support':>10}", ""]
    row = "{:>13} {:>10.4f} {:>10.4f} {:>10.4f} {:>10,}"
    lines += [
        row.format(c.label, c.precision, c.recall, c.f1, c.support) for c in evaluation.per_class
    ]
    lines += ["", f"{'accuracy':>13} {evaluation.accuracy:>32.4f} {evaluation.images:>10,}"]
    lines += [
        row.format(c.label, c.precision, c.recall, c.f1, c.support)
        for c in (evaluation.macro, evaluation.weighted)
    ]
    return "\n".join(lines)


def confusion_text(evaluation: Evaluation) -> str:
    """The confusion matrix: a row per true class, a column per predicted class."""
    names = [c.label for c in evaluation.per_class]
    lines = [f"{'true ↓ predicted →':>18} " + " ".join(f"{name[:6]:>6}" for name in names)]
    for name, counts in zip(names, evaluation.confusion, strict=True):
        lines.append(f"{name:>18} " + " ".join(f"{count:>6,}" for count in counts))
    return "\n".join(lines)


def _probabilities(session: Session, frames: Pixels) -> Probabilities:
    """What a model says of images of the data set, whatever pixels it wants."""
    import numpy as np

    from fmnist_cli.preprocess import from_frames

    parts = range(0, len(frames), _AT_ONCE)
    return np.concatenate(
        [
            session.probabilities(from_frames(frames[at : at + _AT_ONCE], session.spec))
            for at in parts
        ]
    )


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
    split: Annotated[EvaluatedSplit, typer.Option(help="Labelled images to measure on.")] = "test",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Measure on labelled pictures of your own instead, DIR/CLASS/….",
            show_default=False,
        ),
    ] = None,
    classes: Classes = None,
    prepare: Prepare = "auto",
    unknown: Unknown = False,
    unknown_at: UnknownAt = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="With --data: also a page of the pictures with the wrong label.",
            show_default=False,
        ),
    ] = None,
    json_: JsonFile = None,
    data_dir: DataDir = None,
    models_dir: ModelsDir = None,
) -> None:
    """Accuracy, loss and confusion of exported models."""
    import shlex
    from dataclasses import asdict

    about_folders = (classes, report, unknown_at) != (None, None, None) or unknown
    if data is None and (about_folders or prepare != "auto"):
        raise UsageError("--classes, --prepare, --unknown and --report go with --data DIR")

    from fmnist_cli import __version__
    from fmnist_cli.bench.run import unique_names
    from fmnist_cli.cores import available_cores
    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.data.fashion_mnist import CLASS_NAMES, knows_fashion_mnist, of_data_set
    from fmnist_cli.evaluate.metrics import evaluate as measure
    from fmnist_cli.evaluate.metrics import of_first
    from fmnist_cli.files import write_text
    from fmnist_cli.inference.models import find_models_dir, open_model
    from fmnist_cli.inference.session import Session
    from fmnist_cli.manifest import Manifest

    asked = model or list(Manifest.read(find_models_dir(models_dir)).models)
    files = [open_model(one, models_dir, quiet=not model) for one in asked]
    names = unique_names([file.name for file in files])
    if data is not None:
        from fmnist_cli.cli.evaluate_folders import Asked, evaluate_on_folders
        from fmnist_cli.inference.ood import known_share

        asks = unknown or unknown_at is not None
        share = known_share("--unknown-at", unknown_at) if asks else None
        code = evaluate_on_folders(
            {
                name: (file.sha256, Session(file, threads=available_cores()))
                for name, file in zip(names, files, strict=True)
            },
            Asked(data, classes, prepare, share, json_, report, models_dir),
        )
        if code:
            raise typer.Exit(code)
        return
    images = load_split(split, data_dir)
    results: dict[str, object] = {}
    summary = [f"{'model':<14} {'accuracy':>8} {'loss':>7} {'macro F1':>8} {'ECE':>7}"]
    for name, file in zip(names, files, strict=True):
        session = Session(file, threads=available_cores())
        knows = knows_fashion_mnist(session.card.class_names)
        if not knows and model:
            raise ModelError(f"{file.path} knows other classes than Fashion-MNIST; {_INSTEAD}")
        if not model and not of_data_set(session.card):
            what = "pictures" if knows else "classes"
            sys.stderr.write(f"left out: {name} is a model of other {what}; {_INSTEAD}\n")
            continue
        # Of a model that knows further classes: which of these ten it is.
        probabilities = of_first(_probabilities(session, images.pixels), len(CLASS_NAMES))
        evaluation = measure(probabilities, images.labels, CLASS_NAMES)
        results[name] = {
            "sha256": file.sha256,
            **asdict(evaluation),
            "predictions": predictions_json(probabilities),
        }
        summary.append(
            f"{name:<14} {evaluation.accuracy:>8.4f} {evaluation.loss:>7.4f}"
            f" {evaluation.macro.f1:>8.4f} {evaluation.calibration_error:>7.4f}"
        )
        if json_ != "-":
            print(f"{session.card.title} ({name}) on {evaluation.images:,} {split} images")  # noqa: T201
            print(  # noqa: T201
                f"loss {evaluation.loss:.4f},"
                f" calibration error {evaluation.calibration_error:.4f}\n"
            )
            print(report_text(evaluation), "\n")  # noqa: T201
            print(confusion_text(evaluation), "\n")  # noqa: T201
    if not results:
        raise ModelError("no model is one of Fashion-MNIST's images; give --data DIR, or name one")
    if len(results) > 1 and json_ != "-":
        print("\n".join(summary))  # noqa: T201
    if json_ is None:
        return
    # File names without their folders: the checksums say which files they were.
    chosen = [word for one in model or () for word in ("--model", Path(one).name)]
    document = {
        "command": shlex.join(["fmnist", "evaluate", *chosen, "--split", split]),
        "version": __version__,
        "split": split,
        "models": results,
    }
    text = json.dumps(document, indent=2) + "\n"
    if json_ == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(json_), text)
