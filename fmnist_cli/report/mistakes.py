"""Which images a model got wrong, from the predictions in an evaluation."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels
from fmnist_cli.evaluate.metrics import confusion_matrix

FULL = 65535  # the confidence of 1


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Images with another label than predicted, the most confident first.

    Attributes:
        index: in the split, intp [M].
        true: class by label, int64 [M].
        predicted: class predicted, int64 [M].
        confidence: of the predicted class, int64 [M], 65535 standing for 1.
    """

    index: npt.NDArray[np.intp]
    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.int64]


def mistakes(result: Mapping[str, Any], labels: Labels) -> Mistakes | None:
    """Mistakes of a model.

    Args:
        result: of the model in the JSON of `fmnist evaluate`.
        labels: int64 [N], of the split it was measured on.

    Returns:
        None where predictions are missing, or belong to other labels than these.
    """
    if "predictions" not in result:
        return None
    predicted = np.frombuffer(b64decode(result["predictions"]["class_id"]), np.uint8)
    sure = np.frombuffer(b64decode(result["predictions"]["confidence"]), "<u2").astype(np.int64)
    if len(predicted) != len(labels) or len(sure) != len(labels):
        return None
    chosen = predicted.astype(np.int64)
    if confusion_matrix(chosen, labels, len(result["confusion"])).tolist() != result["confusion"]:
        return None
    wrong = np.flatnonzero(chosen != labels)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")]
    return Mistakes(wrong, labels[wrong], chosen[wrong], sure[wrong])
