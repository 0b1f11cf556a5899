"""Graphs with calibrated confidence: a curve inside, fitted on what was held out; and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx

from fmnist_cli.calibration import (
    RULE,
    VOTE_FLOOR,
    Curve,
    ends_in_softmax,
    fit_curve,
    with_curve,
    without_curve,
)
from fmnist_cli.contract import Labels, ModelCard, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, knows_fashion_mnist
from fmnist_cli.evaluate.metrics import (
    accuracy,
    cross_entropy,
    expected_calibration_error,
    is_right,
    macro,
    of_first,
    recalls,
    reliability,
)
from fmnist_cli.export.graph import canonical, serialize
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.ood import KNOWN_SHARE
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import available_cores
from fmnist_cli.training.picture_fit import Held

CROSS_VALIDATION = "cross-validation"  # in the place of a split, of models that are fitted on all

KNOWN_SHARES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)


def measure(session: Session, images: LabelledImages) -> dict[str, float]:
    """A split's figures for the manifest."""
    return figures_of(
        of_first(session.probabilities(images.pixels), len(CLASS_NAMES)), images.labels
    )


def figures_of(probabilities: Probabilities, labels: Labels) -> dict[str, float]:
    """Figures of labelled opinions for the manifest."""
    error = expected_calibration_error(reliability(probabilities, labels))
    return {
        "images": len(labels),
        "accuracy": round(accuracy(probabilities, labels), 6),
        "loss": round(cross_entropy(probabilities, labels), 6),
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


def calibrate(graph: onnx.ModelProto, card: ModelCard, held: LabelledImages | Held) -> Calibrated:
    """Fit a curve for a graph, in place of any that it has.

    Args:
        graph: under the contract.
        card: its card, but for the accuracy.
        held: images that it was not fitted on; or what cross-validation says of pictures.
    """
    plain, _ = without_curve(graph)
    before = draft_session(canonical(plain), card)
    if isinstance(held, Held):
        split, (said, labels) = CROSS_VALIDATION, held.of_one_class()
    elif knows_fashion_mnist(card.class_names):
        split, labels = "validation", held.labels
        said = of_first(before.probabilities(held.pixels), len(CLASS_NAMES))
    else:
        return Calibrated(canonical(plain), None, before, None)
    curve = fit_curve(said, labels, None if ends_in_softmax(plain) else VOTE_FLOOR)
    figures = figures_of(said, labels)
    provenance = {
        "rule": RULE,
        "split": split,
        "images": len(labels),
        **curve._asdict(),
        "before": {name: figures[name] for name in ("loss", "calibration_error")},
    }
    made = with_curve(plain, curve)
    return Calibrated(canonical(made), curve, before, provenance)


def measure_held(held: Held, curve: Curve | None) -> dict[str, float]:
    """Figures of a cross-validation for the manifest.

    Accuracy counts any of several right classes, and its mean is over folders; loss and calibration
    error are of the pictures of which one class is right. Of the known pictures, `wrongly_unknown`
    is the share that a limit of other pictures calls unknown, where 1 - `KNOWN_SHARE` are meant
    to be; of those that are no class, `recognised` is the share that is told so.
    """
    said, labels = held.of_one_class()
    known = ~held.truth[:, -1]
    right = is_right(held.logits[:, :-1].argmax(axis=1), held.truth[:, :-1])
    folders = [str(folder) for folder in range(int(held.members.max()) + 1)]
    shares = recalls(right[known], held.members[known].astype(np.intp), folders)
    figures = figures_of(said if curve is None else curve(said), labels)
    figures |= {
        "images": int(known.sum()),
        "accuracy": round(float(right[known].mean()), 6),
        "macro_accuracy": round(macro(shares), 6),
    }
    novelty = held.novelty()
    # Of each half, with the limit of the other.
    halves = [novelty[known][half::2] for half in (0, 1)]
    limits = [float(np.quantile(half, KNOWN_SHARE)) for half in halves]
    wrongly = [half > limit for half, limit in zip(halves, reversed(limits), strict=True)]
    figures["wrongly_unknown"] = round(float(np.concatenate(wrongly).mean()), 6)
    if not known.all():
        limit = float(np.quantile(novelty[known], KNOWN_SHARE))
        figures["recognised"] = round(float((novelty[~known] > limit).mean()), 6)
    return figures


def novelty_limits(held: Held) -> dict[str, float]:
    """For a share of known pictures, the novelty that so many stay below; see `ModelCard`."""
    known = ~held.truth[:, -1]
    novelty = held.novelty()[known]
    return {str(share): round(float(np.quantile(novelty, share)), 5) for share in KNOWN_SHARES}


def draft_session(graph: onnx.ModelProto, card: ModelCard) -> Session:
    """A session of a graph that is in no file yet."""
    draft = ModelFile.of(card.name, Path(f"{card.name}.onnx"), serialize(graph, card))
    return Session(draft, threads=available_cores())
