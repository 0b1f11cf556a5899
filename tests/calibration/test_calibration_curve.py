"""A calibration curve: what it does to probabilities, and that its fit finds one that is known."""

from __future__ import annotations

import numpy as np
import pytest

from fmnist_cli.calibration import VOTE_FLOOR, Curve, fit_curve
from fmnist_cli.contract import Labels, Probabilities
from fmnist_cli.evaluate.metrics import (
    cross_entropy,
    expected_calibration_error,
    reliability,
)

KNOTS = (0.0, 1.0, 2.0, 3.0)


def softmax(logits: np.ndarray) -> Probabilities:
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Probabilities = (exponent / exponent.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def model(count: int, seed: int) -> tuple[Probabilities, Labels]:
    """Probabilities that are right: each label is drawn from its row."""
    rng = np.random.default_rng(seed)
    probabilities = softmax(rng.normal(size=(count, 10)) * rng.uniform(1, 6, (count, 1)))
    labels = (probabilities.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=9)
    return probabilities, labels


def error(probabilities: Probabilities, labels: Labels) -> float:
    return expected_calibration_error(reliability(probabilities, labels))


def test_slopes_of_one_change_nothing() -> None:
    probabilities, _ = model(50, seed=0)
    same = Curve(KNOTS, (1.0,) * 4)(probabilities)
    np.testing.assert_allclose(same, probabilities, atol=1e-6)


def test_equal_slopes_are_a_temperature() -> None:
    logits = np.random.default_rng(1).normal(size=(50, 10)) * 4
    stretched = Curve(KNOTS, (0.5,) * 4)(softmax(logits))
    np.testing.assert_allclose(stretched, softmax(logits / 2), atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_no_label_changes_and_rows_sum_to_one(seed: int) -> None:
    probabilities, _ = model(100, seed)
    slopes = np.exp(np.random.default_rng(seed).uniform(-3, 3, 4)).tolist()
    for floor in (None, VOTE_FLOOR):
        stretched = Curve(KNOTS, tuple(slopes), floor)(probabilities)
        assert (stretched.argmax(axis=1) == probabilities.argmax(axis=1)).all()
        np.testing.assert_allclose(stretched.sum(axis=1), 1, atol=1e-5)


def test_votes_of_zero_and_one_stay_finite() -> None:
    votes = np.eye(10, dtype=np.float32)
    sure = Curve(KNOTS, (1.0,) * 4, VOTE_FLOOR)(votes)
    assert sure.max() < 1
    assert sure.min() > 0


@pytest.mark.parametrize("wrong", [(2.0,) * 4, (0.5,) * 4, (0.6, 0.8, 1.5, 3.0)])
def test_a_fit_undoes_what_was_done_to_right_probabilities(wrong: tuple[float, ...]) -> None:
    right, labels = model(4000, seed=2)
    shown = Curve(KNOTS, wrong)(right)
    curve = fit_curve(shown, labels)
    others, their_labels = model(4000, seed=3)
    theirs = Curve(KNOTS, wrong)(others)
    assert error(theirs, their_labels) > 0.03
    assert error(curve(theirs), their_labels) < 0.02
    assert cross_entropy(curve(theirs), their_labels) < cross_entropy(theirs, their_labels)


def test_of_few_images_and_none_wrong_the_prior_decides() -> None:
    """Where all are right, no slope would be steep enough without it."""
    probabilities = np.full((3, 10), 0.01, np.float32)
    probabilities[:, 4] = 0.91
    curve = fit_curve(probabilities, np.full(3, 4))
    assert max(curve.slopes) < 3


def test_a_model_that_says_the_same_of_all_has_a_curve() -> None:
    curve = fit_curve(np.full((10, 10), 0.1, np.float32), np.arange(10))
    assert sorted(set(curve.knots)) == list(curve.knots)
    np.testing.assert_allclose(curve(np.full((2, 10), 0.1, np.float32)), 0.1, atol=1e-6)
