"""Fitting a stack: how far to trust each member in each class."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import KFold

from fmnist_cli.contract import Labels, Pixels, Probabilities
from fmnist_cli.errors import ModelError
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.inference.models import ModelFile, open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import available_cores
from fmnist_cli.models.registry import ModelSpec, StackRecipe, get_spec
from fmnist_cli.training.job import Fit, Order
from fmnist_cli.training.parents import Parent
from fmnist_cli.training.record import (
    WEIGHTS_FILE,
    Epoch,
    NativeModel,
    TrainingRecord,
    load_native,
    load_tensors,
    save_tensors,
)

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
        result: Probabilities = softmax(logits, axis=1).astype(np.float32)
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
        logs = log_softmax(np.einsum("mnc,mc->nc", opinions, weights) + offset, axis=1)
        error = np.exp(logs) - truth
        slope = np.concatenate(
            [np.einsum("mnc,nc->mc", opinions, error).ravel(), error.sum(axis=0)]
        )
        away = values - start
        value = -logs[np.arange(count), labels].mean()
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


class ExportedModel:
    """`NativeModel` that is there as a graph alone: a member of a stack.

    Attributes:
        file: the graph, calibrated.
    """

    def __init__(self, file: ModelFile) -> None:
        self.file = file
        self._session = Session(file, threads=available_cores())

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, 28, 28] → float32 [N, classes]."""
        return self._session.probabilities(pixels)


class StackModel:
    """`NativeModel` that pools the opinions of others."""

    def __init__(self, members: Sequence[NativeModel], pool: Pool) -> None:
        self.members = tuple(members)
        self.pool = pool

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, 28, 28] → float32 [N, classes]."""
        return self.pool.probabilities(opinions_of([m.probabilities(pixels) for m in self.members]))


def fit(order: Order) -> Fit:
    """Fit the pool of exported models and finished runs on the validation images."""
    recipe, validation = order.job.recipe, order.data.validation
    assert isinstance(recipe, StackRecipe)  # noqa: S101
    teachers = order.job.teachers
    order.reporter.start(order.job.spec.name, None)
    members: dict[str, NativeModel] = {
        teacher.identity["model"]: ExportedModel(teacher.file) for teacher in teachers
    }
    for parent in order.parents:
        name = parent.record.model
        members[name] = load_native(get_spec(name), parent.run_dir)
    order.reporter.stage(f"asking {', '.join(members)}")
    said = {name: m.probabilities(validation.pixels) for name, m in members.items()}
    pool, held, only = fit_stack(
        said, validation.labels, regularization=recipe.regularization, seed=order.job.seed
    )

    def save(run_dir: Path) -> None:
        tensors = {"weights": pool.weights, "offset": pool.offset}
        save_tensors(run_dir / WEIGHTS_FILE, {k: torch.tensor(v) for k, v in tensors.items()})
        for teacher in teachers:
            (run_dir / f"{teacher.identity['model']}.onnx").write_bytes(teacher.file.content)

    return Fit(
        StackModel(list(members.values()), pool),
        save,
        (only,),
        ("numpy", "scipy", "scikit-learn"),
        (accuracy(held, validation.labels), cross_entropy(held, validation.labels)),
        len(validation),
        precision="float64",
    )


def load(spec: ModelSpec, record: TrainingRecord, run_dir: Path) -> StackModel:
    """The model of a finished run, whose members must be the ones that it was fitted on."""
    members: list[NativeModel] = []
    for parent in record.parents:
        name = parent["model"]
        own = run_dir / f"{name}.onnx"
        if own.exists():
            members.append(ExportedModel(open_model(str(own))))
            continue
        found = Parent.of(run_dir.parent / name)
        if found.sha256 != parent["sha256"]:
            raise ModelError(
                f"{spec.name} was fitted on another {name} than the one in {found.run_dir};"
                f" run: fmnist train {spec.name}"
            )
        members.append(load_native(get_spec(name), found.run_dir))
    tensors = load_tensors(run_dir / WEIGHTS_FILE)
    try:
        pool = Pool(tensors["weights"].numpy(), tensors["offset"].numpy())
    except KeyError as error:
        raise ModelError(
            f"{run_dir / WEIGHTS_FILE} holds no {error}; train {spec.name} again"
        ) from error
    return StackModel(members, pool)
