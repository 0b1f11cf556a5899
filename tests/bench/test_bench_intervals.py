from __future__ import annotations

import numpy as np
import pytest

from fmnist_cli.bench.intervals import Estimate, autocorrelation, estimate, spread, student_t


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    [(0.975, 4, 2.776), (0.975, 9, 2.262), (0.975, 30, 2.042), (0.95, 6, 1.943), (0.5, 5, 0.0)],
)
def test_quantiles_of_students_t(probability: float, degrees: int, expected: float) -> None:
    assert student_t(probability, degrees) == pytest.approx(expected, rel=0.01, abs=1e-9)


def test_an_interval_holds_its_median_and_is_the_same_every_time() -> None:
    values = np.random.default_rng(0).lognormal(size=10).tolist()
    found = estimate(values)
    assert min(values) <= found.low < found.median < found.high <= max(values)
    assert found.median == np.median(values)
    assert found == estimate(values)


def test_equal_and_single_values_leave_no_doubt() -> None:
    assert estimate([2.0] * 5) == Estimate(2.0, 2.0, 2.0)
    assert estimate([3.0]) == Estimate(3.0, 3.0, 3.0)


def test_neighbours_that_resemble_each_other_widen_the_interval() -> None:
    shuffled, drifting = [1, 9, 2, 8, 3, 7, 4, 6, 5, 10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert autocorrelation(shuffled) == 0
    assert autocorrelation(drifting) > 0.5
    narrow, wide = estimate(shuffled), estimate(drifting)
    assert narrow.median == wide.median
    assert wide.high - wide.low > narrow.high - narrow.low


def test_margin_and_overlap() -> None:
    found = Estimate(2.0, 1.9, 2.3)
    assert found.margin == pytest.approx(0.1)
    assert Estimate(0.0, 0.0, 0.0).margin == 0
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
