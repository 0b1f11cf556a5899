"""What every exported model promises: tensor names, shapes, class names and the model card.

Every graph, deep or classical, maps

    pixels         uint8    [N, 28, 28]   0 = background, 255 = brightest garment pixel
    probabilities  float32  [N, classes]  each row sums to 1

with N free, and ten classes unless a model was trained on photos of others. Scaling, flattening,
projections and calibration happen inside the graph.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

INPUT_NAME = "pixels"
OUTPUT_NAME = "probabilities"
NOVELTY_NAME = "novelty"  # of the guard, which no model is: float32 [N], larger is stranger
SIDE = 28

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

UNKNOWN = "unknown"  # the label of what is no class of the model

Pixels = npt.NDArray[np.uint8]  # [N, 28, 28]
Labels = npt.NDArray[np.int64]  # [N]
Probabilities = npt.NDArray[np.float32]  # [N, classes]
Novelty = npt.NDArray[np.float32]  # [N]


def knows_fashion_mnist(class_names: Sequence[str]) -> bool:
    """Whether a model's first classes are Fashion-MNIST's, so that it can be measured on that."""
    return tuple(class_names[: len(CLASS_NAMES)]) == CLASS_NAMES


# Fields of a card that are no text, in a graph's metadata as JSON.
_CARD_KINDS: dict[str, Any] = {
    "class_names": list,
    "seed": int,
    "test_accuracy": (int, float, NoneType),
    "temperature": (int, float),
    "tolerance": (int, float),
}


class ModelCard(NamedTuple):
    """The metadata inside an exported graph; every value is a string in the file.

    Attributes:
        name: registry name, e.g. ``"resnet"``.
        title: name for people, e.g. ``"Residual network"``.
        version: version of the package that exported it.
        class_names: label of each output column, in order.
        data_checksum: MD5 of the training images file, as published with the data set.
        seed: seed of the training run.
        preset: preset of the training run.
        test_accuracy: accuracy of this graph on the test split, 0 to 1; None for a model of
            other classes.
        temperature: logits were divided by this inside the graph; 1 where not used.
        tolerance: largest allowed difference between native and exported probabilities.
    """

    name: str
    title: str
    version: str
    class_names: tuple[str, ...]
    data_checksum: str
    seed: int
    preset: str
    test_accuracy: float | None
    temperature: float
    tolerance: float

    @property
    def caption(self) -> str:
        """Title and test accuracy, for people."""
        if self.test_accuracy is None:
            return self.title
        return f"{self.title}, test accuracy {self.test_accuracy:.2%}"

    def to_metadata(self) -> dict[str, str]:
        """String values for ONNX ``metadata_props``; the inverse of `from_metadata`."""
        return {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in self._asdict().items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ModelCard:
        """The card in a graph's metadata.

        Raises:
            KeyError: a field is missing.
            ValueError, TypeError: a field does not parse or is of another type.
        """
        values: dict[str, Any] = {}
        for name in cls._fields:
            text = metadata[name]
            value = json.loads(text) if name in _CARD_KINDS else text
            if not isinstance(value, _CARD_KINDS.get(name, str)):
                raise TypeError(f"{name} is {text!r}")
            values[name] = value
        values["class_names"] = tuple(map(str, values["class_names"]))
        return cls(**values)
