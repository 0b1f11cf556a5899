from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from fmnist_cli.contract import Labels, Probabilities
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.evaluate.metrics import (
    accuracy,
    confusion_matrix,
    cross_entropy,
    evaluate,
    expected_calibration_error,
    reliability,
)


def random_answers(seed: int, count: int = 400) -> tuple[Probabilities, Labels]:
    """Probabilities that are right more often than not, over labels of unequal frequency."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(10, count, p=np.arange(1, 11) / 55)
    logits = rng.normal(size=(count, 10))
    logits[np.arange(count), labels] += 1
    weights = np.exp(logits)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), labels


def without_classes(seed: int) -> tuple[Probabilities, Labels]:
    """As `random_answers`, but class 2 is never predicted and class 0 never true."""
    probabilities, labels = random_answers(seed)
    probabilities[:, 2] = 1e-6
    labels[labels == 0] = 1
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


CASES = {"random": random_answers(1), "other": random_answers(2), "missing": without_classes(3)}


@pytest.mark.parametrize("case", CASES)
def test_all_measurements_equal_those_of_scikit_learn(case: str) -> None:
    probabilities, labels = CASES[case]
    predicted = probabilities.argmax(axis=1)
    result = evaluate(probabilities, labels, CLASS_NAMES)
    classes = list(range(10))

    assert result.images == len(labels)
    assert result.accuracy == pytest.approx(reference.accuracy_score(labels, predicted))
    double = probabilities.astype(np.float64)
    double /= double.sum(axis=1, keepdims=True)
    assert result.loss == pytest.approx(
        reference.log_loss(labels, double, labels=classes), rel=1e-5
    )
    assert result.confusion == tuple(
        map(tuple, reference.confusion_matrix(labels, predicted, labels=classes).tolist())
    )

    def scores(average: str | None) -> list[np.ndarray]:
        return list(
            reference.precision_recall_fscore_support(
                labels, predicted, labels=classes, average=average, zero_division=0
            )
        )

    assert [c.label for c in result.per_class] == list(CLASS_NAMES)
    for name, expected in zip(("precision", "recall", "f1", "support"), scores(None), strict=True):
        assert [getattr(c, name) for c in result.per_class] == pytest.approx(expected.tolist())
    for mean, average in ((result.macro, "macro"), (result.weighted, "weighted")):
        assert [mean.precision, mean.recall, mean.f1] == pytest.approx(scores(average)[:3])
        assert mean.support == len(labels)


def test_a_hopeless_answer_has_a_finite_loss() -> None:
    probabilities = np.eye(10, dtype=np.float32)[[0]]
    assert cross_entropy(probabilities, np.array([1])) == pytest.approx(-np.log(1e-7))


def test_the_parts_agree_with_the_whole() -> None:
    probabilities, labels = CASES["random"]
    result = evaluate(probabilities, labels, CLASS_NAMES)
    assert result.accuracy == accuracy(probabilities, labels)
    assert result.loss == cross_entropy(probabilities, labels)


def test_rows_of_the_confusion_are_true_classes() -> None:
    matrix = confusion_matrix(np.array([1, 1, 0]), np.array([0, 0, 2]), 3)
    assert matrix.tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_calibration_compares_confidence_with_accuracy_bin_by_bin() -> None:
    # Four images at 0.95, three of them right, and six at 0.55, three of them right.
    confidence = np.array([0.95] * 4 + [0.55] * 6)
    labels = np.array([0, 0, 0, 1, 0, 0, 0, 1, 1, 1])
    bins = reliability(np.stack([confidence, 1 - confidence], axis=1), labels, bins=10)
    assert [b.images for b in bins] == [0, 0, 0, 0, 0, 6, 0, 0, 0, 4]
    assert (bins[5].lower, bins[5].upper) == (0.5, 0.6)
    assert bins[5].accuracy == pytest.approx(0.5)
    assert bins[9].accuracy == pytest.approx(0.75)
    assert bins[9].confidence == pytest.approx(0.95)
    assert bins[0].confidence == bins[0].accuracy == 0
    expected = 0.4 * (0.95 - 0.75) + 0.6 * (0.55 - 0.5)
    assert expected_calibration_error(bins) == pytest.approx(expected)


def test_bins_hold_their_upper_end_and_certainty() -> None:
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5]])
    bins = reliability(probabilities, np.array([0, 0]), bins=2)
    assert [b.images for b in bins] == [1, 1]


def test_bins_hold_every_image() -> None:
    probabilities, labels = CASES["random"]
    result = evaluate(probabilities, labels, CLASS_NAMES)
    assert sum(b.images for b in result.reliability) == len(labels)
    right = sum(b.images * b.accuracy for b in result.reliability)
    assert right / len(labels) == pytest.approx(result.accuracy)
    assert 0 <= result.calibration_error <= 1
