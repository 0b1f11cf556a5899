"""Fitting a stack: how far to trust each member in each class."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.model_selection import KFold

from fmnist_cli.contract import Labels, Probabilities
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.training.record import Epoch

LEAST = 1e-6  # a member's probability below this counts as this: no single veto
_FOLDS = 10

Opinions = npt.NDArray[np.float64]  # [members, N, classes], log-probabilities


@dataclass(frozen=True, slots=True)
class Pool:
    """A log-linear pool: p ∝ exp(Σₘ weightsₘ · log pₘ + offset), by class.

    Attributes:
        weights: float64 [members, classes].
        offset: float64 [classes].
    """

    weights: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]

    def probabilities(self, opinions: Opinions) -> Probabilities:
        """float32 [N, classes] of the members' log-probabilities."""
        logits = np.einsum("mnc,mc->nc", opinions, self.weights) + self.offset
        logits -= logits.max(axis=1, keepdims=True)
        exponent = np.exp(logits)
        result: Probabilities = (exponent / exponent.sum(axis=1, keepdims=True)).astype(np.float32)
        return result


def opinions_of(members: Sequence[Probabilities]) -> Opinions:
    """Log-probabilities of the members' float32 [N, classes]."""
    return np.log(np.maximum(np.stack(members).astype(np.float64), LEAST))


def fit_pool(opinions: Opinions, labels: Labels, regularization: float) -> Pool:
    """The pool of least cross-entropy, held towards equal weights.

    Args:
        opinions: of images that no member was fitted on.
        labels: int64 [N].
        regularization: weight of the squared distance from equal weights and no offset.
    """
    members, count, classes = opinions.shape
    start = np.concatenate([np.full(members * classes, 1 / members), np.zeros(classes)])
    truth = np.eye(classes)[labels]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weights, offset = values[:-classes].reshape(members, classes), values[-classes:]
        logits = np.einsum("mnc,mc->nc", opinions, weights) + offset
        logits -= logits.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(logits).sum(axis=1))
        error = np.exp(logits - log_sum[:, None]) - truth
        slope = np.concatenate(
            [np.einsum("mnc,nc->mc", opinions, error).ravel(), error.sum(axis=0)]
        )
        away = values - start
        value = (log_sum - logits[np.arange(count), labels]).mean()
        return (
            float(value + regularization * away @ away),
            slope / count + 2 * regularization * away,
        )

    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return Pool(found[:-classes].reshape(members, classes), found[-classes:])


def cross_validated(
    opinions: Opinions, labels: Labels, regularization: float, seed: int
) -> Probabilities:
    """What pools fitted on nine tenths of the images say of the remaining tenth."""
    result = np.empty(opinions.shape[1:], dtype=np.float32)
    folds = KFold(min(_FOLDS, len(labels)), shuffle=True, random_state=seed)
    for fitted, held in folds.split(labels):
        pool = fit_pool(opinions[:, fitted], labels[fitted], regularization)
        result[held] = pool.probabilities(opinions[:, held])
    return result


def fit_stack(
    members: Mapping[str, Probabilities],
    labels: Labels,
    *,
    regularization: float,
    seed: int,
) -> tuple[Pool, Probabilities, Epoch]:
    """Fit the pool of some members on images that they were not fitted on.

    Args:
        members: by name, what each says of the images, float32 [N, classes].
        labels: int64 [N].
        regularization: see `fit_pool`.
        seed: of the folds.

    Returns:
        The pool fitted on all images, cross-validated probabilities float32 [N, classes], and
        the entry of the learning curve.
    """
    started = time.monotonic()
    opinions = opinions_of(list(members.values()))
    pool = fit_pool(opinions, labels, regularization)
    fitted = pool.probabilities(opinions)
    held = cross_validated(opinions, labels, regularization, seed)
    only = Epoch(
        epoch=1,
        train_loss=cross_entropy(fitted, labels),
        train_accuracy=accuracy(fitted, labels),
        validation_loss=cross_entropy(held, labels),
        validation_accuracy=accuracy(held, labels),
        seconds=time.monotonic() - started,
    )
    return pool, held, only
