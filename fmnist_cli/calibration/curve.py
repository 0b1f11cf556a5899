"""Probabilities → calibrated probabilities: a temperature that may differ from margin to margin.

One temperature scales all margins alike. Networks trained on softened labels, and votes, call for
more: they hardly tell the sure from the very sure, so a temperature that suits the middle is wrong
at the end. Here the log-odds against the most probable class are stretched piece by piece,

    p'ⱼ ∝ exp(-g(dⱼ)),   dⱼ = max log p - log pⱼ,   g(0) = 0, piecewise linear, increasing,

so no label changes; with slopes that are all 1/T it is the temperature T.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fmnist_cli.contract import Pixels, Probabilities

_LEAST = 1e-30  # of what a softmax gives; below any that matters


class Curve(NamedTuple):
    """How margins are stretched.

    Attributes:
        knots: margins at which a new piece begins, in nats; the first is 0, they ascend.
        slopes: of the pieces, positive, one per knot.
        floor: probabilities below it count as it, for models that vote and may give 0; None for
            those that end in a softmax.
    """

    knots: tuple[float, ...]
    slopes: tuple[float, ...]
    floor: float | None = None

    def weights(self) -> tuple[float, ...]:
        """How much slopes change at each knot: g(d) = Σₖ weightₖ·max(d, knotₖ) and a constant."""
        changes = (b - a for a, b in pairwise(self.slopes))
        return (self.slopes[0], *(round(change, 6) for change in changes))

    def __call__(self, probabilities: Probabilities) -> Probabilities:
        """float32 [N, classes] → float32 [N, classes], rows summing to 1."""
        least = _LEAST if self.floor is None else self.floor
        logs = np.log(np.maximum(probabilities.astype(np.float64), least))
        below = logs - logs.max(axis=1, keepdims=True)
        terms = zip(self.knots, self.weights(), strict=True)
        stretched = sum(weight * np.minimum(below, -knot) for knot, weight in terms)
        exponent = np.exp(stretched - stretched.max(axis=1, keepdims=True))
        result: Probabilities = (exponent / exponent.sum(axis=1, keepdims=True)).astype(np.float32)
        return result


def behind(
    infer: Callable[[Pixels], Probabilities], curve: Curve | None
) -> Callable[[Pixels], Probabilities]:
    """A classifier whose probabilities go through a curve, if there is one."""
    if curve is None:
        return infer
    return lambda pixels: curve(infer(pixels))
