"""Medians over rounds and how far to trust them.

The unit is a round, not a call: calls of one round share the state of the machine and of the
process and say little about the next round.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import NamedTuple

LEVEL = 0.95


class Estimate(NamedTuple):
    """A median over rounds and the ends of its 95 % interval."""

    median: float
    low: float
    high: float

    def overlaps(self, other: Estimate) -> bool:
        """Whether the two intervals have a value in common."""
        return self.low <= other.high and other.low <= self.high


def estimate(values: Sequence[float]) -> Estimate:
    """Median and interval of one figure.

    The interval goes from the k-th smallest to the k-th largest value, k as large as 95 % allow: of
    n rounds, fewer than k lie on one side of the true median with the probability of fewer than k
    heads in n throws of a coin. It supposes no distribution, but rounds that do not depend on each
    other. Of fewer than nine values it is their range; of fewer than six that holds the median less
    often: of five in 94 %, of three in 75 %.

    Args:
        values: one per round; at least one.
    """
    ordered, rounds = sorted(values), len(values)
    at, outside = 0, 1 / 2**rounds
    while True:
        outside += comb(rounds, at + 1) / 2**rounds
        if 1 - 2 * outside < LEVEL or 2 * (at + 2) > rounds:
            return Estimate(median(ordered), ordered[at], ordered[-1 - at])
        at += 1


def spread(values: Sequence[float]) -> float:
    """Largest / smallest value, 1 where all are the same."""
    return max(values) / min(values)
