"""Accuracy, loss, confusion, calibration, labelled folders and novelty, with numpy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Probabilities

Allowed = npt.NDArray[np.bool_]  # [N, classes]: the classes that are right
Scores = npt.NDArray[np.floating]  # [N], larger is stranger


@dataclass(frozen=True, slots=True)
class ClassReport:
    """Precision, recall, F1 (0 to 1) and support of one class, or their mean over classes."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The images whose confidence lies above `lower` and not above `upper`.

    Attributes:
        lower: 0 to 1.
        upper: 0 to 1.
        images: how many.
        confidence: their mean probability of the predicted class; 0 without images.
        accuracy: share of them that is right; 0 without images.
    """

    lower: float
    upper: float
    images: int
    confidence: float
    accuracy: float


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
        calibration_error: expected calibration error over `reliability`, 0 to 1.
        reliability: confidence against accuracy, in bins of equal width.
    """

    images: int
    accuracy: float
    loss: float
    per_class: tuple[ClassReport, ...]
    macro: ClassReport
    weighted: ClassReport
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    reliability: tuple[ReliabilityBin, ...]


def accuracy(probabilities: Probabilities, labels: Labels) -> float:
    """Share of rows whose most probable class is the label, 0 to 1."""
    return float(np.mean(probabilities.argmax(axis=1) == labels))


def cross_entropy(probabilities: Probabilities, labels: Labels) -> float:
    """Mean negative log-likelihood of the labels in nats; clipped at 1e-7 to stay finite."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(chosen, 1e-7)).mean())


def of_first(probabilities: Probabilities, count: int) -> Probabilities:
    """Probabilities given that it is one of the first `count` classes.

    A model of more classes than a data set has is measured on it as though it had to choose among
    those; one of as many is measured as it is.

    Args:
        probabilities: float32 [N, classes].
        count: at most as many as there are.
    """
    if probabilities.shape[1] == count:
        return probabilities
    chosen = probabilities[:, :count]
    result: Probabilities = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-30)
    return result


def confusion_matrix(predicted: Labels, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts int64 [classes, classes]: row = true class, column = predicted class."""
    flat = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes)


def reliability(
    probabilities: Probabilities, labels: Labels, bins: int = 15
) -> tuple[ReliabilityBin, ...]:
    """How often predictions are right, by how sure they are (Guo et al. 2017: 15 bins)."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    chosen = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(chosen, minlength=bins)
    sure = np.bincount(chosen, confidence, minlength=bins) / np.maximum(counts, 1)
    hits = np.bincount(chosen, right, minlength=bins) / np.maximum(counts, 1)
    return tuple(
        ReliabilityBin(i / bins, (i + 1) / bins, int(n), float(c), float(a))
        for i, (n, c, a) in enumerate(zip(counts, sure, hits, strict=True))
    )


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Mean distance between confidence and accuracy over bins, weighted by images, 0 to 1."""
    total = sum(b.images for b in bins)
    return sum(b.images * abs(b.confidence - b.accuracy) for b in bins) / max(total, 1)


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

    bins = reliability(probabilities, labels)
    return Evaluation(
        images=total,
        accuracy=float(hits.sum() / total),
        loss=cross_entropy(probabilities, labels),
        per_class=per_class,
        macro=mean("macro avg", np.ones(len(class_names))),
        weighted=mean("weighted avg", support.astype(np.float64)),
        confusion=tuple(tuple(int(n) for n in row) for row in matrix),
        calibration_error=expected_calibration_error(bins),
        reliability=bins,
    )


def is_right(predicted: Labels, allowed: Allowed) -> npt.NDArray[np.bool_]:
    """Whether each prediction is among the allowed classes, bool [N]."""
    result: npt.NDArray[np.bool_] = allowed[np.arange(len(predicted)), predicted]
    return result


def recalls(
    right: npt.NDArray[np.bool_], members: npt.NDArray[np.intp], folders: Sequence[str]
) -> Mapping[str, float]:
    """Share of right answers, 0 to 1, of each folder that has pictures."""
    return {
        name: float(right[members == at].mean())
        for at, name in enumerate(folders)
        if (members == at).any()
    }


def macro(shares: Mapping[str, float]) -> float:
    """Mean over folders, each counting the same; 0 without any."""
    return sum(shares.values()) / max(len(shares), 1)


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


def interval(right: int, images: int, of_folds: int = 0) -> tuple[float, float]:
    """The accuracy that so few pictures allow: a 95 % interval, 0 to 1, after Wilson (1927).

    Held-out pictures of a cross-validation are judged by models that share most of what they
    learned from, so their answers say less than as many of independent ones. How much less:
    Nadeau & Bengio (2003).

    Args:
        right: pictures labelled right.
        images: how many there are.
        of_folds: of the cross-validation; 0 for pictures that no model learned from.
    """
    images, right = max(images, 1), min(right, images)
    counted = images / (1 + of_folds / (of_folds - 1) if of_folds else 1)
    share, z = right / images, 1.96
    middle = (share + z * z / (2 * counted)) / (1 + z * z / counted)
    spread = share * (1 - share) / counted + z * z / (4 * counted * counted)
    half = z * spread**0.5 / (1 + z * z / counted)
    return max(0.0, middle - half), min(1.0, middle + half)
