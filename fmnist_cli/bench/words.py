"""Figures as people read them."""

from __future__ import annotations

from collections.abc import Mapping


def rounded(value: float) -> str:
    """About three digits: 0.012, 1.23, 12.3, 1,234."""
    digits = sum(value < limit for limit in (1, 10, 100))
    return f"{value:,.{digits}f}"


def shortened(count: float) -> str:
    """A count in at most five characters: 785, 7.85k, 1.35M, 2.40G."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return rounded(count / size) + suffix
    return str(round(count))


def interval(estimate: Mapping[str, float]) -> str:
    """The ends of an interval: 1.20–1.31."""
    return f"{rounded(estimate['low'])}–{rounded(estimate['high'])}"
