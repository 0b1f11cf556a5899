"""Fitted models in the framework that made them, and what a fit hands over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Pixels, Probabilities
from fmnist_cli.cores import available_cores
from fmnist_cli.evaluate.metrics import cross_entropy, is_right
from fmnist_cli.inference.session import Session
from fmnist_cli.inference.store import ModelFile
from fmnist_cli.models.network import PictureClassifier, PixelClassifier
from fmnist_cli.training import sklearn_fit, torch_fit
from fmnist_cli.training.record import Epoch
from fmnist_cli.training.stack_fit import Pool, opinions_of

_BATCH = 32  # pictures in colour


class Held(NamedTuple):
    """Opinions of pictures that were held out, by cross-validation.

    Attributes:
        logits: float32 [N, classes + 1], the last for none of them.
        truth: bool [N, classes + 1], what is right.
        members: int64 [N], the folder of each.
    """

    logits: npt.NDArray[np.float32]
    truth: npt.NDArray[np.bool_]
    members: npt.NDArray[np.int64]

    def of_one_class(self) -> tuple[Probabilities, Labels]:
        """Probabilities and labels of the pictures of which one class is right."""
        known = self.truth[:, :-1]
        one = known.sum(axis=1) == 1
        logits = self.logits[one, :-1]
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        labels: Labels = known[one].argmax(axis=1).astype(np.int64)
        return raised / raised.sum(axis=1, keepdims=True), labels

    def figures(self) -> tuple[float, float]:
        """Accuracy over all pictures of a class, any of several right ones; cross-entropy."""
        known = ~self.truth[:, -1]
        best = self.logits[known, :-1].argmax(axis=1)
        right = is_right(best, self.truth[known, :-1])
        return float(right.mean()), cross_entropy(*self.of_one_class())

    def novelty(self) -> npt.NDArray[np.float32]:
        """float32 [N], as the output of that name."""
        novelty: npt.NDArray[np.float32] = self.logits[:, -1] - self.logits[:, :-1].max(axis=1)
        return novelty


class NativeModel(Protocol):
    """A fitted model in the framework that made it."""

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, 28, 28] → float32 [N, classes]."""


class TorchModel:
    """`NativeModel` of a PyTorch network, in evaluation mode."""

    def __init__(self, network: PixelClassifier, batch_size: int = 1000) -> None:
        self.network = network.eval()
        self._batch_size = batch_size

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, H, W] or [N, H, W, 3] → float32 [N, classes]."""
        return torch_fit.predict_probabilities(self.network, pixels, self._batch_size)


class PicturesModel(TorchModel):
    """`NativeModel` of a network for pictures in colour.

    Attributes:
        held: what networks that had not seen them said of the training pictures.
    """

    network: PictureClassifier

    def __init__(self, network: PictureClassifier, held: Held) -> None:
        super().__init__(network, _BATCH)
        self.held = held


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


class SklearnModel:
    """`NativeModel` of a scikit-learn pipeline."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, 28, 28] → float32 [N, classes]."""
        return sklearn_fit.predict_probabilities(self.pipeline, pixels)


class StackModel:
    """`NativeModel` that pools the opinions of others."""

    def __init__(self, members: Sequence[NativeModel], pool: Pool) -> None:
        self.members = tuple(members)
        self.pool = pool

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, 28, 28] → float32 [N, classes]."""
        return self.pool.probabilities(opinions_of([m.probabilities(pixels) for m in self.members]))


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model and how it got there; see `TrainingRecord` for the fields of that name.

    Attributes:
        native: the model.
        save: writes what `load_native` reads into a run folder.
        packages: distributions whose versions decided the result.
        validation: accuracy and loss on what was held out, where the model must not be asked since
            it was fitted on that; None to ask it for the validation images.
    """

    native: NativeModel
    save: Callable[[Path], None]
    history: tuple[Epoch, ...]
    packages: tuple[str, ...]
    best_epoch: int = 0
    temperature: float = 1.0
    converged: bool = True
    precision: str = "float32"
    validation: tuple[float, float] | None = None
