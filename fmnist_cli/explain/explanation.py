"""An explained picture, and its form in JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fmnist_cli.errors import UsageError
from fmnist_cli.explain.cam import METHODS, heatmaps
from fmnist_cli.explain.layers import STAGES, Layer, choose_layers, layers_of
from fmnist_cli.explain.subjects import Subject
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.training.restore import restore

DEFAULT_METHOD = "layercam"

Heat = npt.NDArray[np.uint8]  # [H, W], 255 = the most evidence in this picture


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A picture with its heat map.

    Attributes:
        subject: the picture, and what the model says of it.
        target: class id that the map is for.
        heat: uint8 [H, W], 0 no evidence for the target, 255 the most in this picture.
        class_names: of the model.
    """

    subject: Subject
    target: int
    heat: Heat
    class_names: Sequence[str]

    @property
    def target_name(self) -> str:
        """Name of the class that the map is for."""
        return self.class_names[self.target]

    @property
    def predicted_name(self) -> str:
        """Name of the most probable class."""
        return self.class_names[self.subject.predicted]

    @property
    def true_name(self) -> str | None:
        """The label; None where there is none."""
        return None if self.subject.true is None else self.class_names[self.subject.true]

    def to_json(self) -> dict[str, Any]:
        """JSON values; ``heat`` is base64 of the map's bytes, row by row, of this ``shape``."""
        subject = self.subject
        return {
            "source": subject.source,
            "split": subject.split,
            "index": subject.index,
            "true": self.true_name,
            "predicted": self.predicted_name,
            "confidence": round(subject.confidence, 6),
            "target": self.target_name,
            "shape": list(self.heat.shape),
            "heat": b64encode(self.heat.tobytes()).decode(),
        }


@dataclass(frozen=True, slots=True)
class Explainer:
    """A network and how it is explained.

    Attributes:
        file: the exported model.
        classifier: its network.
        method: one of `METHODS`.
        layer: names of layers, as for `choose_layers`.
        layers: these layers.
        class_names: of the model.
    """

    file: ModelFile
    classifier: PixelClassifier
    method: str
    layer: str
    layers: tuple[Layer, ...]
    class_names: tuple[str, ...]

    @classmethod
    def of(
        cls, file: ModelFile, session: Session, method: str = DEFAULT_METHOD, layer: str = STAGES
    ) -> Explainer:
        """That of an exported network; `session` is of the same file.

        Raises:
            UsageError: the network has no such layer, or there is no such method.
            ModelError: the file is not of a convolutional network.
        """
        if method not in METHODS:
            raise UsageError(f"--method {method!r} is unknown; choose from {', '.join(METHODS)}")
        classifier = restore(file)
        layers = choose_layers(layers_of(classifier, session.spec.shape), layer)
        return cls(file, classifier, method, layer, layers, session.card.class_names)

    def explain(
        self, subjects: Sequence[Subject], target: Literal["predicted", "true"] | int = "predicted"
    ) -> list[Explanation]:
        """One explanation per picture, in order.

        Raises:
            UsageError: the map of the true class of a picture is asked for that has no label.
        """
        if not subjects:
            return []
        targets = [_target(subject, target) for subject in subjects]
        maps = heatmaps(
            self.classifier,
            np.stack([subject.pixels for subject in subjects]),
            np.array(targets, np.int64),
            self.method,
            self.layers,
        )
        heats = np.rint(255 * maps).astype(np.uint8)
        return [
            Explanation(*each, self.class_names)
            for each in zip(subjects, targets, heats, strict=True)
        ]


def parse_target(text: str, class_names: Sequence[str]) -> Literal["predicted", "true"] | int:
    """``predicted``, ``true`` or the id of the class of that name.

    Raises:
        UsageError: it is none of these.
    """
    if text == "predicted":
        return "predicted"
    if text == "true":
        return "true"
    return class_id(text, "--target", class_names, "predicted, true, ")


def class_id(text: str, option: str, class_names: Sequence[str], others: str = "") -> int:
    """Id of the class called `text`, in capitals or not.

    Raises:
        UsageError: there is none; names the option, the classes, and `others` before them.
    """
    names = [name.lower() for name in class_names]
    if text.lower() not in names:
        raise UsageError(
            f"{option} {text!r} is no class; choose from {others}{', '.join(class_names)}"
        )
    return names.index(text.lower())


def _target(subject: Subject, target: Literal["predicted", "true"] | int) -> int:
    if isinstance(target, int):
        return target
    if target == "predicted":
        return subject.predicted
    if subject.true is None:
        raise UsageError(
            f"--target true needs labels, which {subject.source} has not; name a class, or take"
            " images of the data set with --split"
        )
    return subject.true
