"""How well a score tells what is strange from what is known; larger is stranger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating]  # [N]


def auroc(known: Scores, strange: Scores) -> float:
    """Area under the receiver operating characteristic, 0 to 1.

    The probability that a strange one scores higher than a known one; equal scores count half.

    Args:
        known: scores of what is known, at least one.
        strange: scores of what is strange, at least one.
    """
    ordered = np.sort(known)
    below = np.searchsorted(ordered, strange, side="left")
    not_above = np.searchsorted(ordered, strange, side="right")
    return float((below + not_above).mean() / (2 * len(known)))


def quantiles(scores: Scores, shares: Sequence[float]) -> tuple[float, ...]:
    """The scores that these shares do not exceed, each one of `scores`."""
    values = np.quantile(np.asarray(scores, np.float64), shares, method="higher")
    return tuple(float(value) for value in values)
