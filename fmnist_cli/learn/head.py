"""A head on frozen features: logistic regression, and how far a picture is from every class.

Strength and temperature are chosen by cross-validation, which also says how good the head is and
how far from its class a picture is that was not learned from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from fmnist_cli.calibration import ONE_PIECE, fit_curve
from fmnist_cli.contract import Embeddings, Probabilities
from fmnist_cli.evaluate.metrics import cross_entropy
from fmnist_cli.labelled.pictures import Members, folds_of

FOLDS = 10  # fewer where a class has fewer pictures
STRENGTHS = (1.0, 10.0, 100.0)  # inverse of the penalty, for features of unit length on average
_DIRECTIONS = 256  # of the features that a head sees; the first hold nearly all there is

Numbers = npt.NDArray[np.float64]


class Head(NamedTuple):
    """Features → logits and novelty.

    Attributes:
        weight: [classes, D].
        bias: [classes].
        centers: [classes, D], mean of each class.
    """

    weight: Numbers
    bias: Numbers
    centers: Numbers

    def logits(self, embeddings: Embeddings) -> Numbers:
        """float32 [N, D] → [N, classes]."""
        result: Numbers = embeddings @ self.weight.T + self.bias
        return result

    def novelty(self, embeddings: Embeddings) -> Numbers:
        """float32 [N, D] → [N], squared distance to the nearest center."""
        near = 2 * embeddings @ self.centers.T - (self.centers**2).sum(axis=1)
        result: Numbers = (embeddings.astype(np.float64) ** 2).sum(axis=1) - near.max(axis=1)
        return result


class Held(NamedTuple):
    """What heads say of pictures that they have not learned from.

    Attributes:
        logits: [N, classes].
        novelty: [N].
        folds: of the cross-validation.
    """

    logits: Numbers
    novelty: Numbers
    folds: int

    def probabilities(self, temperature: float = 1.0) -> Probabilities:
        """float32 [N, classes]."""
        result: Probabilities = softmax(self.logits / temperature, axis=1).astype(np.float32)
        return result

    def accuracy(self, members: Members) -> float:
        """Share of right labels, 0 to 1."""
        return float((self.logits.argmax(axis=1) == members).mean())

    def temperature(self, members: Members) -> float:
        """The temperature of least cross-entropy."""
        slope = fit_curve(self.probabilities(), members.astype(np.int64), knots=ONE_PIECE).slopes[0]
        return 1 / slope


def fit(embeddings: Embeddings, members: Members, strength: float) -> Head:
    """A head.

    Args:
        embeddings: float32 [N, 2, D], of pictures and their mirror images.
        members: the class of each.
        strength: one of `STRENGTHS`.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    features = embeddings.reshape(-1, embeddings.shape[-1]).astype(np.float64)
    found = PCA(min(_DIRECTIONS, *features.shape), random_state=0).fit(features)
    seen = found.transform(features)
    spread = max(float(np.sqrt((seen**2).sum(axis=1).mean())), 1e-9)
    model = LogisticRegression(C=strength, tol=1e-3, max_iter=1000)
    model.fit(seen / spread, np.repeat(members, 2))
    rows, offsets = model.coef_, model.intercept_
    if len(rows) == 1:  # of two classes it gives one row
        rows, offsets = np.concatenate([-rows, rows]) / 2, np.concatenate([-offsets, offsets]) / 2
    weight = rows @ found.components_ / spread
    centers = [embeddings[members == one, 0].mean(axis=0) for one in range(len(weight))]
    return Head(weight, offsets - weight @ found.mean_, np.array(centers, np.float64))


def cross_validate(embeddings: Embeddings, members: Members) -> tuple[float, Held]:
    """The best strength, and what heads of it say of held-out pictures.

    Args:
        embeddings: float32 [N, 2, D], of pictures and their mirror images.
        members: the class of each, each class at least twice.
    """
    folds = folds_of(members, FOLDS)
    count, classes = int(folds.max()) + 1, int(members.max()) + 1
    helds = []
    for strength in STRENGTHS:
        held = Held(np.empty((len(members), classes)), np.empty(len(members)), count)
        for fold in range(count):
            out = folds == fold
            head = fit(embeddings[~out], members[~out], strength)
            held.logits[out] = head.logits(embeddings[out, 0])
            held.novelty[out] = head.novelty(embeddings[out, 0])
        helds.append(held)
    labels = members.astype(np.int64)
    losses = [
        cross_entropy(held.probabilities(held.temperature(members)), labels) for held in helds
    ]
    best = int(np.argmin(losses))
    return STRENGTHS[best], helds[best]
