"""Confident learning: which labels a model that has not seen the images finds hard to believe.

After Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", Journal of Artificial Intelligence Research 70, 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Probabilities

Counts = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LabelQuality:
    """What confident learning says of the labels of N images in K classes.

    Attributes:
        suggested: int64 [N], the most probable class other than the label.
        self_confidence: float64 [N], the probability of the label, 0 to 1.
        margin: float64 [N], the probability of the label less that of the suggested class,
            -1 to 1; the lower, the less the label is believed.
        issue: bool [N], whether the image is counted for another class than its label, which
            is also the most probable one.
        thresholds: float64 [K], from which probability on an image counts for a class: the
            mean self-confidence of the images labelled so.
        joint: float64 [K, K], the estimated share of images by label (row) and true class
            (column); adds up to 1.
    """

    suggested: Labels
    self_confidence: npt.NDArray[np.float64]
    margin: npt.NDArray[np.float64]
    issue: npt.NDArray[np.bool_]
    thresholds: npt.NDArray[np.float64]
    joint: Matrix

    def noise(self) -> npt.NDArray[np.float64]:
        """float64 [K]: the estimated share of wrong labels among those of each class."""
        totals = self.joint.sum(axis=1)
        wrong: npt.NDArray[np.float64] = totals - np.diag(self.joint)
        np.divide(wrong, totals, out=wrong, where=totals > 0)
        return wrong


def label_quality(probabilities: Probabilities, labels: Labels) -> LabelQuality:
    """Judge labels by out-of-sample probabilities.

    Args:
        probabilities: float [N, K], each row by a model that did not see the image.
        labels: int64 [N], 0 to K-1.
    """
    wide = probabilities.astype(np.float64)
    classes = wide.shape[1]
    every = np.arange(len(labels))
    own = wide[every, labels]
    others = wide.copy()
    others[every, labels] = -np.inf
    suggested = others.argmax(axis=1)
    margin = own - wide[every, suggested]

    counts = np.bincount(labels, minlength=classes)
    # Of a class that no image has there is nothing to be as confident as.
    thresholds = np.full(classes, np.inf)
    np.divide(
        np.bincount(labels, weights=own, minlength=classes),
        counts,
        out=thresholds,
        where=counts > 0,
    )
    # Each image counts for the most probable of the classes that it is confidently in.
    confident = np.where(wide >= thresholds, wide, -np.inf)
    counted = confident.argmax(axis=1)
    counts_at_all = np.isfinite(confident.max(axis=1))
    joint = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(joint, (labels[counts_at_all], counted[counts_at_all]), 1)
    # A class with a low threshold may win over the more probable label: no reason to doubt it.
    issue = counts_at_all & (counted != labels) & (margin < 0)
    return LabelQuality(suggested, own, margin, issue, thresholds, _calibrated(joint, counts))


def _calibrated(confident_joint: Counts, counts: Counts) -> Matrix:
    """The joint distribution of labels and true classes.

    The counted images stand for all: each row is scaled to how many images have the label.
    """
    joint = confident_joint.astype(np.float64)
    rows = joint.sum(axis=1)
    # Where no image of a label was counted, its labels are taken to be right.
    empty = np.flatnonzero((rows == 0) & (counts > 0))
    joint[empty, empty] = 1.0
    rows[empty] = 1.0
    # A row that is still empty is of a class without images, and stays so.
    joint *= (counts / np.maximum(rows, 1))[:, None]
    joint /= max(1, counts.sum())
    return joint
