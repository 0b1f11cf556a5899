"""Graphs with calibrated confidence: fit a curve on validation images and put it inside.

`export` calibrates what it writes; `recalibrate` does the same to files that are there already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import onnx

from fmnist_cli.calibration.curve import Curve, behind
from fmnist_cli.calibration.fit import RULE, VOTE_FLOOR, fit_curve
from fmnist_cli.calibration.graph import ends_in_softmax, with_curve, without_curve
from fmnist_cli.contract import CLASS_NAMES, ModelCard, knows_fashion_mnist
from fmnist_cli.cores import available_cores
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.errors import ModelError
from fmnist_cli.evaluate.metrics import (
    accuracy,
    cross_entropy,
    expected_calibration_error,
    of_first,
    reliability,
)
from fmnist_cli.export.graph import canonical, count_parameters, serialize
from fmnist_cli.export.verify import verify
from fmnist_cli.files import replace_file
from fmnist_cli.manifest import Entry
from fmnist_cli.models.registry import REGISTRY
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import ModelFile

_ATOL = 1e-5  # between curve in the graph, float32, and outside, float64
_VERIFIED_IMAGES = 2000


def measure(session: Session, images: LabelledImages) -> dict[str, float]:
    """A split's figures for the manifest."""
    probabilities = of_first(session.probabilities(images.pixels), len(CLASS_NAMES))
    error = expected_calibration_error(reliability(probabilities, images.labels))
    return {
        "images": len(images.labels),
        "accuracy": round(accuracy(probabilities, images.labels), 6),
        "loss": round(cross_entropy(probabilities, images.labels), 6),
        "calibration_error": round(error, 6),
    }


class Calibrated(NamedTuple):
    """A graph with a curve.

    Attributes:
        graph: the curve at its end.
        curve: the same outside of it; None for a model that does not know the images' classes.
        before: the graph without it.
        provenance: for the manifest.
    """

    graph: onnx.ModelProto
    curve: Curve | None
    before: Session
    provenance: dict[str, Any] | None


def calibrate(graph: onnx.ModelProto, card: ModelCard, validation: LabelledImages) -> Calibrated:
    """Fit a curve for a graph, in place of any that it has.

    Args:
        graph: under the contract.
        card: its card, but for the accuracy.
        validation: images of Fashion-MNIST that it was not fitted on.
    """
    plain, _ = without_curve(graph)
    before = draft_session(canonical(plain), card)
    if not knows_fashion_mnist(card.class_names):
        return Calibrated(canonical(plain), None, before, None)
    floor = None if ends_in_softmax(plain) else VOTE_FLOOR
    said = of_first(before.probabilities(validation.pixels), len(CLASS_NAMES))
    curve = fit_curve(said, validation.labels, floor)
    figures = measure(before, validation)
    provenance = {
        "rule": RULE,
        "split": "validation",
        "images": len(validation.labels),
        **curve._asdict(),
        "before": {name: figures[name] for name in ("loss", "calibration_error")},
    }
    return Calibrated(canonical(with_curve(plain, curve)), curve, before, provenance)


def held_out(training: Mapping[str, Any]) -> dict[str, float]:
    """Validation figures of a stack, in place of measured ones.

    It was fitted on the validation images, so only cross-validation, before the curve, says how
    good it is.
    """
    return {
        "accuracy": round(training["validation_accuracy"], 6),
        "loss": round(training["validation_loss"], 6),
    }


def draft_session(graph: onnx.ModelProto, card: ModelCard) -> Session:
    """A session of a graph that is in no file yet."""
    draft = ModelFile.of(card.name, Path(f"{card.name}.onnx"), serialize(graph, card))
    return Session(draft, threads=available_cores())


def recalibrate(file: ModelFile, out: Path, splits: Mapping[str, LabelledImages]) -> Entry:
    """Calibrate an exported file anew and write it into `out`.

    Args:
        file: of a folder with a manifest.
        splits: ``"validation"`` to fit on, and ``"test"``; metrics are measured on both.

    Raises:
        ModelError: the file has no manifest entry, or knows other classes.
        VerificationError: the graph does not say what its curve says; nothing is written.
    """
    if file.entry is None:
        raise ModelError(f"{file.path} has no entry in a manifest; give the name of a model")
    card = Session(file).card
    if not knows_fashion_mnist(card.class_names):
        raise ModelError(
            f"{file.path} knows other classes than Fashion-MNIST, whose validation images it would"
            " be calibrated on"
        )
    spec = REGISTRY.get(file.name)
    if spec is not None:
        card = card._replace(tolerance=spec.atol)
    made = calibrate(onnx.load_from_string(file.content), card, splits["validation"])
    session = draft_session(made.graph, card)
    verify(
        file.name,
        behind(made.before.probabilities, made.curve),
        session.probabilities,
        splits["test"].pixels[:_VERIFIED_IMAGES],
        _ATOL,
    )
    metrics = {name: measure(session, images) for name, images in splits.items()}
    if spec is not None and spec.framework == "stack":
        metrics["validation"] |= held_out(file.entry.training)
    content = serialize(made.graph, card._replace(test_accuracy=metrics["test"]["accuracy"]))
    out.mkdir(parents=True, exist_ok=True)
    path = out / file.entry.file
    replace_file(path, lambda partial: partial.write_bytes(content))
    return file.entry._replace(
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=count_parameters(made.graph),
        metrics=metrics,
        calibration=made.provenance,
    )
