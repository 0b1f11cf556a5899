"""Fitting a curve: the one place for the rule by which confidence is calibrated.

Measured in docs/calibration.md: four pieces, fitted on all validation images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from fmnist_cli.calibration.curve import Curve
from fmnist_cli.contract import Labels, Probabilities

RULE = "margin slopes 1"  # changes with anything below that changes a fitted curve
VOTE_FLOOR = 0.003  # of models that vote; validation loss is flat around it, for both of them
KNOTS = (0.0, 0.25, 0.5, 0.75)  # in typical margins of the second class
ONE_PIECE = (0.0,)  # a temperature
_LEAST_MARGIN = 0.01  # keeps knots apart where a model says the same of all classes
_DIGITS = 4  # kept of knots and slopes: fits on different machines give the same bytes


def fit_curve(
    probabilities: Probabilities,
    labels: Labels,
    floor: float | None = None,
    knots: Sequence[float] = KNOTS,
) -> Curve:
    """The curve of least cross-entropy on images that the model was not fitted on.

    Logarithms of slopes are a random walk of unit variance that begins at 0, a curve that changes
    nothing, as a prior: it matters to few images only, or pieces that no margin falls into.

    Args:
        probabilities: float32 [N, classes], N at least 1.
        labels: int64 [N].
        floor: see `Curve`.
        knots: where pieces begin, in typical margins of the second class; the first is 0.
    """
    least = 1e-30 if floor is None else floor
    logs = np.log(np.maximum(probabilities.astype(np.float64), least))
    margins = logs.max(axis=1, keepdims=True) - logs
    second = np.sort(margins, axis=1)[:, 1]
    unit = max(float(np.median(second)), _LEAST_MARGIN)
    begins = np.round(np.array(knots) * unit, _DIGITS)
    lengths = np.append(np.diff(begins), np.inf)
    pieces = np.stack(
        [np.clip(margins - knot, 0, length) for knot, length in zip(begins, lengths, strict=True)]
    )  # [pieces, N, classes]: how far into each piece a margin reaches
    count = len(labels)
    truth = np.eye(probabilities.shape[1])[labels]
    of_labels = pieces[:, np.arange(count), labels]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        slopes = np.exp(values)
        exponent = np.exp(-np.tensordot(slopes, pieces, 1))
        total = exponent.sum(axis=1)
        error = exponent / total[:, None] - truth
        steps = np.diff(values, prepend=0.0)
        value = (np.log(total) + slopes @ of_labels).mean() + steps @ steps / (2 * count)
        slope = -slopes * np.einsum("knc,nc->k", pieces, error) / count
        return float(value), slope + (steps - np.append(steps[1:], 0.0)) / count

    found = minimize(loss, np.zeros(len(begins)), jac=True, method="L-BFGS-B", tol=1e-12).x
    slopes = np.round(np.exp(found), _DIGITS).clip(10.0**-_DIGITS)
    return Curve(tuple(begins.tolist()), tuple(slopes.tolist()), floor)
