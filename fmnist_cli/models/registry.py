"""Every model fmnist knows. Adding one is a file in this package and an entry here.

The registry imports no training library: a model's own module is loaded only when it is
built, so that the serving half can list names and titles.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from fmnist_cli.contract import InputSpec
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.errors import UsageError

Framework = Literal["torch", "pictures", "sklearn", "stack"]
Preset = Literal["quick", "standard", "best"]


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
