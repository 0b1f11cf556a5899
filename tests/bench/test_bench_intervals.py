from __future__ import annotations

import numpy as np

from fmnist_cli.bench.rounds import Estimate, estimate, spread


def test_an_interval_holds_its_median_and_is_the_same_every_time() -> None:
    values = np.random.default_rng(0).lognormal(size=10).tolist()
    found = estimate(values)
    assert min(values) <= found.low < found.median < found.high <= max(values)
    assert found.median == np.median(values)
    assert found == estimate(values)


def test_equal_and_single_values_leave_no_doubt() -> None:
    assert estimate([2.0] * 5) == Estimate(2.0, 2.0, 2.0)
    assert estimate([3.0]) == Estimate(3.0, 3.0, 3.0)


def test_an_interval_leaves_out_outliers_where_there_are_rounds_enough() -> None:
    values = [9.0, *range(1, 9), 1000.0]
    found = estimate(values)
    assert (found.low, found.median, found.high) == (2, 5.5, 9)
    many = estimate([float(value) for value in range(100)])
    assert (many.low, many.high) == (39, 60)  # as tables of the sign test have it


def test_overlap() -> None:
    found = Estimate(2.0, 1.9, 2.3)
    assert found.overlaps(Estimate(2.5, 2.3, 2.7))
    assert not found.overlaps(Estimate(2.5, 2.31, 2.7))
    assert not Estimate(2.5, 2.31, 2.7).overlaps(found)


def _coverage(likeness: float) -> float:
    """How often the interval of 10 rounds holds the true median, 0, of rounds that drift."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        values = [rng.normal()]
        while len(values) < 10:
            values.append(likeness * values[-1] + np.sqrt(1 - likeness**2) * rng.normal())
        found = estimate(values)
        hits += found.low <= 0 <= found.high
    return hits / 300


def test_intervals_hold_the_truth_as_often_as_they_claim() -> None:
    assert _coverage(0) >= 0.95


def test_a_drifting_machine_is_mostly_covered_too() -> None:
    assert _coverage(0.5) >= 0.85


def test_spread_is_a_ratio() -> None:
    assert spread([2.0, 3.0, 2.5]) == 1.5
    assert spread([2.0]) == 1


def test_of_few_values_the_interval_is_their_range() -> None:
    for values in ([1.0, 3.0], [5.0, 1.0, 3.0], [2.0, 5.0, 1.0, 3.0, 4.0]):
        found = estimate(values)
        assert (found.low, found.high) == (min(values), max(values))
