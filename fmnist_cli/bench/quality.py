"""How good a model is on the test split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, of_data_set
from fmnist_cli.evaluate.metrics import evaluate, of_first
from fmnist_cli.inference.session import Session


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a model is on the test split; all shares from 0 to 1.

    Attributes:
        images: how many it was asked about.
        accuracy: share of right labels.
        macro_f1: unweighted mean of the classes' F1.
        shirt_f1: of the hardest class.
        calibration_error: expected calibration error, 15 bins (Guo et al. 2017).
        f1: of each class, by its name.
    """

    images: int
    accuracy: float
    macro_f1: float
    shirt_f1: float
    calibration_error: float
    f1: Mapping[str, float]


def measure_quality(session: Session, images: LabelledImages) -> Quality | None:
    """Measured through ONNX Runtime; None for a model that is not `of_data_set`.

    A model of further classes is asked which of Fashion-MNIST's it is.
    """
    if not of_data_set(session.card):
        return None
    probabilities = of_first(session.probabilities(images.pixels), len(CLASS_NAMES))
    found = evaluate(probabilities, images.labels, CLASS_NAMES)
    f1 = {report.label: report.f1 for report in found.per_class}
    return Quality(
        images=found.images,
        accuracy=found.accuracy,
        macro_f1=found.macro.f1,
        shirt_f1=f1["Shirt"],
        calibration_error=found.calibration_error,
        f1=f1,
    )
