"""Every model fmnist knows, and what a recipe is: how a model is trained under a preset.

Adding a model is a file in this package and an entry here. The registry imports no training
library: a model's own module is loaded only when it is built, so that the serving half can list
names and titles. Recipes are plain data; the training record holds them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Literal

from fmnist_cli.contract import InputSpec
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.errors import UsageError

Framework = Literal["torch", "pictures", "sklearn", "stack"]
Preset = Literal["quick", "standard", "best"]


class _Recipe:
    """How hard a model is trained, and on how much."""

    __slots__ = ()

    @property
    def parents(self) -> tuple[str, ...]:
        """Models whose runs must be finished first."""
        return ()


@dataclass(frozen=True, slots=True)
class TorchRecipe(_Recipe):
    """AdamW or Muon, one-cycle learning rate, EMA weights, augmentation on the fly.

    Attributes:
        epochs: passes over the training images.
        batch_size: images per step.
        learning_rate: peak of the cycle.
        weight_decay: decoupled decay of weight matrices (biases and norms are spared).
        label_smoothing: probability mass moved from the label to all classes, 0 to 1.
        ema_decay: per-step decay of the averaged weights, which are the ones kept.
        translate: largest shift in pixels, each axis.
        flip: whether half of the images are mirrored left to right.
        erase: share of images with a random rectangle overwritten, 0 to 1.
        relight: share of images seen in other light, 0 to 1.
        bfloat16: whether matrix products run in bfloat16 where the processor has it.
        samples: training images used, stratified; None for all.
        muon: whether filters move by orthogonalised momentum instead of AdamW.
        teachers: networks whose runs lie beside this one; the mean of what they say is
            distilled. None to learn from labels alone.
        teacher_share: share of the loss that comes from the teachers, 0 to 1.
        teacher_temperature: above 1 softens the teachers' probabilities.
        params: keyword arguments of the model's ``build``.
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 5e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    ema_decay: float = 0.999
    translate: int = 2
    flip: bool = True
    erase: float = 0.0
    relight: float = 0.0
    bfloat16: bool = False
    samples: int | None = None
    muon: bool = False
    teachers: tuple[str, ...] = ()
    teacher_share: float = 0.5
    teacher_temperature: float = 1.0
    params: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def parents(self) -> tuple[str, ...]:
        """Models whose runs must be finished first."""
        return self.teachers


@dataclass(frozen=True, slots=True)
class PictureRecipe(_Recipe):
    """A pretrained network, trained on with labelled pictures in colour.

    Attributes:
        epochs: as many draws as there are pictures, so often.
        batch_size: pictures per step.
        learning_rate: peak of the cycle, of AdamW.
        head: the head's learning rate, in multiples of that.
        weight_decay: of matrices.
        label_smoothing: probability mass moved from what is right to all classes, 0 to 1.
        ema_decay: per-step decay of the averaged weights, which are the ones kept.
        erase: share of images with a random rectangle overwritten, 0 to 1.
        frozen: first parts of the backbone that stay as they are.
        made_up: frames of Fashion-MNIST made up as product pictures, per picture.
        nothing: pictures of nothing, per picture.
        keep: weight of what the network said before of its own classes.
        keep_types: weight of what it said of pictures for which several classes are right.
        balance: folders are drawn by their size to this power: 1 as they are, 0 equally often.
        folds: parts that the pictures are divided into.
        judged: of these, how many are left out in turn and judged by a network that has not seen
            them; this calibrates novelty and confidence.
    """

    epochs: int
    batch_size: int = 32
    learning_rate: float = 5e-4
    head: float = 3.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    ema_decay: float = 0.995
    erase: float = 0.25
    frozen: int = 6
    made_up: float = 0.125
    nothing: float = 0.0625
    keep: float = 0.1
    keep_types: float = 0.5
    balance: float = 0.5
    folds: int = 3
    judged: int = 1
    samples: None = None


@dataclass(frozen=True, slots=True)
class SklearnRecipe(_Recipe):
    """Keyword arguments of the model's ``build``, and how many images it sees.

    Attributes:
        params: arguments of ``build``.
        samples: training images used, stratified; None for all.
    """

    params: Mapping[str, float | int | str] = field(default_factory=dict)
    samples: int | None = None


@dataclass(frozen=True, slots=True)
class StackRecipe(_Recipe):
    """Finished models joined into one.

    Attributes:
        members: registry names, whose runs lie beside this one.
        regularization: weight of the squared distance from plain averaging.
    """

    members: tuple[str, ...]
    regularization: float = 1e-2
    samples: None = None

    @property
    def parents(self) -> tuple[str, ...]:
        """Models whose runs must be finished first."""
        return self.members


Recipe = TorchRecipe | PictureRecipe | SklearnRecipe | StackRecipe


def presets(quick: SklearnRecipe, full: SklearnRecipe) -> dict[Preset, SklearnRecipe]:
    """The recipes of a model that is fitted at once: its best is its standard."""
    return {"quick": quick, "standard": full, "best": full}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the rest of the project needs to know about a model.

    Attributes:
        name: name on the command line and of its files.
        title: name for people.
        framework: selects the fit adapter and the exporter.
        module: module with ``build`` and ``RECIPES``, imported lazily.
        atol: allowed ``|native - ONNX|`` on probabilities.
        input: what the model wants.
    """

    name: str
    title: str
    framework: Framework
    module: str
    atol: float
    input: InputSpec = FRAME_SPEC

    def load(self) -> ModuleType:
        """The model's own module; needs the training packages."""
        return importlib.import_module(self.module)


# atol: float32 sums in another order differ by about 1e-6 in a probability. KNN votes with
# 1/distance, SVM adds up thousands of kernel values, and the 3,136 histogram values of logistic
# regression are roots, steep near zero: rounding is amplified there. In the forest it can turn a
# split: 2e-2 are the votes of two trees in a hundred. Calibration curves are up to four times
# as steep as what they stretch.
_SPECS = (
    ModelSpec("logreg", "Logistic regression", "sklearn", "fmnist_cli.models.logreg", 3e-5),
    ModelSpec("svm", "SVM (RBF kernel)", "sklearn", "fmnist_cli.models.svm", 5e-3),
    ModelSpec("random-forest", "Random forest", "sklearn", "fmnist_cli.models.random_forest", 2e-2),
    ModelSpec("knn", "k-nearest neighbours", "sklearn", "fmnist_cli.models.knn", 1e-4),
    ModelSpec("mlp", "Multilayer perceptron", "torch", "fmnist_cli.models.mlp", 3e-5),
    ModelSpec("cnn", "Convolutional network", "torch", "fmnist_cli.models.cnn", 1e-5),
    ModelSpec("resnet", "Residual network", "torch", "fmnist_cli.models.resnet", 1e-5),
    ModelSpec(
        "photo",
        "EfficientNet-Lite0, for colour photos",
        "pictures",
        "fmnist_cli.models.photo",
        1e-4,
        InputSpec(224, 224, "rgb", "letterbox", {"fill": 127}),
    ),
    ModelSpec("hybrid", "Classical and deep", "stack", "fmnist_cli.models.hybrid", 2e-3),
)

REGISTRY: dict[str, ModelSpec] = {spec.name: spec for spec in _SPECS}


def get_spec(name: str) -> ModelSpec:
    """The entry called `name`.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    try:
        return REGISTRY[name]
    except KeyError:
        raise UsageError(
            f"there is no model called {name!r}; choose from {', '.join(REGISTRY)}"
        ) from None
