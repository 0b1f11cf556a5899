"""Planted label errors are found, and little else."""

from __future__ import annotations

import numpy as np
import pytest

from fmnist_cli.audit.labels import label_quality
from fmnist_cli.contract import Labels, Probabilities

CLASSES = 5


def planted(
    count: int = 5000, share: float = 0.1, seed: int = 0
) -> tuple[Probabilities, Labels, Labels]:
    """What a good but not perfect model says, labels of which a share is wrong, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, count)
    logits = rng.normal(0, 1.0, (count, CLASSES))
    logits[np.arange(count), truth] += 4.5
    exponentials = np.exp(logits)
    probabilities = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
    wrong = rng.random(count) < share
    labels = np.where(wrong, (truth + 1 + rng.integers(0, CLASSES - 1, count)) % CLASSES, truth)
    return probabilities, labels, truth


def test_planted_errors_are_found() -> None:
    probabilities, labels, truth = planted()
    quality = label_quality(probabilities, labels)
    wrong = labels != truth
    recall = (quality.issue & wrong).sum() / wrong.sum()
    precision = (quality.issue & wrong).sum() / quality.issue.sum()
    assert recall > 0.85
    assert precision > 0.97
    assert (quality.suggested == truth)[quality.issue & wrong].mean() > 0.99
    # The worst by margin are wrong, every one.
    assert wrong[np.argsort(quality.margin)[:200]].all()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_noise_is_estimated(share: float) -> None:
    probabilities, labels, truth = planted(20_000, share)
    quality = label_quality(probabilities, labels)
    assert quality.joint.sum() == pytest.approx(1)
    np.testing.assert_allclose(
        quality.joint.sum(axis=1), np.bincount(labels) / len(labels), atol=1e-12
    )
    actual = [np.mean(truth[labels == label] != label) for label in range(CLASSES)]
    np.testing.assert_allclose(quality.noise(), actual, atol=0.015)


def test_by_hand() -> None:
    probabilities = np.array(
        [[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.95, 0.05]], np.float32
    )
    labels = np.array([0, 0, 0, 1, 1, 1])
    quality = label_quality(probabilities, labels)
    np.testing.assert_allclose(quality.thresholds, [1.7 / 3, 1.45 / 3], rtol=1e-6)
    assert quality.issue.tolist() == [False, False, True, False, False, True]
    assert quality.suggested.tolist() == [1, 1, 1, 0, 0, 0]
    np.testing.assert_allclose(quality.margin, [0.8, 0.4, -0.8, 0.6, 0.2, -0.9], atol=1e-6)
    np.testing.assert_allclose(quality.joint * 6, [[2, 1], [1, 2]], atol=1e-12)
    np.testing.assert_allclose(quality.noise(), [1 / 3, 1 / 3])


def test_a_label_that_is_the_most_probable_is_no_issue() -> None:
    # Class 1 is believed so little that 0.4 counts as confident; class 0 needs more than 0.6.
    probabilities = np.array([[0.6, 0.4], [1.0, 0.0], [0.9, 0.1], [0.7, 0.3]], np.float32)
    quality = label_quality(probabilities, np.array([0, 0, 1, 1]))
    assert not quality.issue[0]


def test_a_class_without_images() -> None:
    probabilities, labels, _ = planted(500)
    padded = np.pad(probabilities, ((0, 0), (0, 1)))
    quality = label_quality(padded, labels)
    np.testing.assert_array_equal(quality.issue, label_quality(probabilities, labels).issue)
    assert quality.noise()[-1] == 0
    assert quality.joint.sum() == pytest.approx(1)
