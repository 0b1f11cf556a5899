"""Accuracy, loss, the per-class report and the confusion matrix, with numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Probabilities


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Precision, recall, F1 (0 to 1) and support of one class, or their mean over classes."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a classifier did on a labelled split.

    Attributes:
        images: number of images.
        accuracy: share of correct labels, 0 to 1.
        loss: mean cross-entropy in nats, probabilities clipped at 1e-7.
        per_class: one report per class, in class order.
        macro: unweighted mean over classes.
        weighted: mean over classes weighted by support.
        confusion: counts, rows are true classes, columns predicted ones.
    """

    images: int
    accuracy: float
    loss: float
    per_class: tuple[ClassReport, ...]
    macro: ClassReport
    weighted: ClassReport
    confusion: tuple[tuple[int, ...], ...]


def accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Share of rows whose most probable class is the label, 0 to 1."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def cross_entropy(probabilities: Probabilities, labels: Labels) -> float:
    """Mean negative log-likelihood of the labels in nats; clipped at 1e-7 to stay finite."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, 1e-7)).mean())


def confusion_matrix(predicted: Labels, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts int64 [classes, classes]: row = true class, column = predicted class."""
    flat = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes)


def evaluate(
    probabilities: Probabilities, labels: Labels, class_names: Sequence[str]
) -> Evaluation:
    """All measurements of one classifier.

    Args:
        probabilities: float32 [N, classes].
        labels: int64 [N], values 0 to classes - 1.
        class_names: label of each column.

    A class never predicted has precision 0, as in scikit-learn's report.
    """
    matrix = confusion_matrix(probabilities.argmax(axis=1), labels, len(class_names))
    hits = matrix.diagonal().astype(np.float64)
    support = matrix.sum(axis=1)
    precision = hits / np.maximum(matrix.sum(axis=0), 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    per_class = tuple(
        ClassReport(name, float(p), float(r), float(f), int(s))
        for name, p, r, f, s in zip(class_names, precision, recall, f1, support, strict=True)
    )
    total = int(support.sum())

    def mean(name: str, weights: npt.NDArray[np.float64]) -> ClassReport:
        p, r, f = (float(np.average(v, weights=weights)) for v in (precision, recall, f1))
        return ClassReport(name, p, r, f, total)

    return Evaluation(
        images=total,
        accuracy=float(hits.sum() / total),
        loss=cross_entropy(probabilities, labels),
        per_class=per_class,
        macro=mean("macro avg", np.ones(len(class_names))),
        weighted=mean("weighted avg", support.astype(np.float64)),
        confusion=tuple(tuple(int(n) for n in row) for row in matrix),
    )
