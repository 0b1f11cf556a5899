"""What every exported model promises: tensor names, shapes and the model card.

Every graph, deep or classical, maps

    pixels         uint8    [N, height, width] or [N, height, width, 3], as its `InputSpec` says
    probabilities  float32  [N, classes]  each row sums to 1

with N free. Scaling, projections and calibration happen inside the graph. The card may name
further outputs:

    novelty        float32  [N]           larger is less like anything the model knows
    embedding      float32  [N, D]        features, for models of a user's own classes
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from types import NoneType
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

INPUT_NAME = "pixels"
OUTPUT_NAME = "probabilities"
NOVELTY_NAME = "novelty"
EMBEDDING_NAME = "embedding"

UNKNOWN = "unknown"  # the label of what is no class of the model

Pixels = npt.NDArray[np.uint8]  # [N, height, width] or [N, height, width, 3]
Labels = npt.NDArray[np.int64]  # [N]
Probabilities = npt.NDArray[np.float32]  # [N, classes]
Novelty = npt.NDArray[np.float32]  # [N]
Embeddings = npt.NDArray[np.float32]  # [N, D]
Color = Literal["grey", "rgb"]


class InputSpec(NamedTuple):
    """What a graph wants: uint8 [N, height, width] (grey) or [N, height, width, 3] (rgb).

    Attributes:
        height: pixels.
        width: pixels.
        color: ``"grey"`` or ``"rgb"``.
        preprocessing: how a picture becomes these pixels, a name in `fmnist_cli.preprocess`.
        params: arguments of the preprocessing, as numbers and texts.
    """

    height: int
    width: int
    color: Color
    preprocessing: str
    params: Mapping[str, float | str] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture's pixels."""
        return (self.height, self.width, 3) if self.color == "rgb" else (self.height, self.width)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> InputSpec:
        """The inverse of ``_asdict``.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        spec = cls(**values)
        sizes = all(type(side) is int and side > 0 for side in (spec.height, spec.width))
        texts = isinstance(spec.preprocessing, str) and isinstance(spec.params, dict)
        if not sizes or not texts or spec.color not in ("grey", "rgb"):
            raise ValueError(f"input is {values!r}")
        for value in spec.params.values():
            if not isinstance(value, str):
                _number(value)
        return spec


def _number(value: Any) -> float:
    """A finite number.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def _text(value: Any) -> str:
    """A text that every file can hold.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r} is no text")
    value.encode()
    return value


# Fields of a card that are no text, in a graph's metadata as JSON.
_CARD_KINDS: dict[str, Any] = {
    "class_names": list,
    "seed": int,
    "test_accuracy": (int, float, NoneType),
    "temperature": (int, float),
    "tolerance": (int, float),
    "input": (dict, NoneType),
    "novelty_limits": dict,
}
# Fields that cards made by 0.1 lack, and what they stand for there.
_SINCE: dict[str, str] = {"input": "null", "novelty_limits": "{}"}


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
        input: what the graph wants. None in cards made by 0.1; `Session` then fills in what
            the graph itself says: a grey picture, preprocessed by ``auto``.
        novelty_limits: share of known pictures, as text such as ``"0.95"`` → the novelty that so
            many of them stay below. Empty for a model without the output ``novelty``.
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
    input: InputSpec | None = None
    novelty_limits: Mapping[str, float] = {}

    @property
    def caption(self) -> str:
        """Name and test accuracy, for people; the latter says nothing of other pictures."""
        if self.test_accuracy is None:
            return self.name
        return f"{self.name}, test accuracy {self.test_accuracy:.2%} on Fashion-MNIST"

    def to_metadata(self) -> dict[str, str]:
        """String values for ONNX ``metadata_props``; the inverse of `from_metadata`."""
        values = self._asdict()
        if self.input is not None:
            values["input"] = self.input._asdict()
        return {
            key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            for key, value in values.items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> ModelCard:
        """The card in a graph's metadata.

        Raises:
            KeyError: a field is missing.
            ValueError, TypeError, RecursionError: a field does not parse or is of another type.
        """
        values: dict[str, Any] = {}
        for name in cls._fields:
            text = metadata[name] if name in metadata else _SINCE[name]
            value = json.loads(text) if name in _CARD_KINDS else _text(text)
            if not isinstance(value, _CARD_KINDS.get(name, str)):
                raise TypeError(f"{name} is {text!r}")
            if isinstance(value, int | float):
                _number(value)
            values[name] = value
        values["class_names"] = tuple(map(_text, values["class_names"]))
        if not values["class_names"]:
            raise ValueError("it names no class")
        if values["input"] is not None:
            values["input"] = InputSpec.from_json(values["input"])
        for share, limit in values["novelty_limits"].items():
            _number(float(share))
            _number(limit)
        return cls(**values)


class Picture(NamedTuple):
    """A decoded picture: upright, 8 bits, transparency over white.

    Attributes:
        grey: uint8 [H, W], H and W at least 1.
        colorless: whether the source had no colour and no transparency.
        full: height and width before it was decoded at a reduced size, whose sides are
            rounded up; None when `grey` is all there is.
        color: uint8 [H, W, 3], RGB; None when the source had no colour or nobody asked for it.
        alpha: uint8 [H, W], 255 = opaque; None when the picture is opaque everywhere.
    """

    grey: npt.NDArray[np.uint8]
    colorless: bool
    full: tuple[int, int] | None = None
    color: npt.NDArray[np.uint8] | None = None
    alpha: npt.NDArray[np.uint8] | None = None


# Rows are named tuples, because they are made by the million and a frozen dataclass costs several
# times as much to create and to send from a worker process.


class Candidate(NamedTuple):
    """A class and its probability, 0 to 1."""

    label: str
    probability: float


class Prediction(NamedTuple):
    """The label of one picture.

    Attributes:
        path: stable name of the input, relative to the folder it was found in.
        class_id: column of the most probable class; None when the label is `UNKNOWN`.
        label: its name, or `UNKNOWN` when its probability is below the threshold or it is strange.
        confidence: the highest probability, 0 to 1, rounded to 6 decimals.
        top: the most probable classes, best first, whatever the label.
        prepared: the preparation that made what the model saw.
        model: name of the model; None where all rows are of one.
        embedding: the model's features, float32 in machine order; None if not asked for.
    """

    path: str
    class_id: int | None
    label: str
    confidence: float
    top: tuple[Candidate, ...]
    prepared: str
    model: str | None = None
    embedding: bytes | None = None


class Rejected(NamedTuple):
    """An input without a label, and the reason."""

    path: str
    error: str


Row = Prediction | Rejected


def printable(text: str) -> str:
    """`text` without control characters: a file name must not move the cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
