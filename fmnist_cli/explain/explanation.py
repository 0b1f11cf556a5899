"""The pictures that are explained, what explains them, and an explanation's form in JSON.

Pictures are files, read as `fmnist classify` reads them, or images of a split.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import InputSpec, Pixels, Probabilities, Rejected
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import FRAME_SPEC, Split
from fmnist_cli.errors import UsageError
from fmnist_cli.explain.cam import METHODS, STAGES, Layer, choose_layers, heatmaps, layers_of
from fmnist_cli.html.folder import PANEL
from fmnist_cli.inference.classifier import Settings, aligned
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session, batch_of
from fmnist_cli.machine import available_cores
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.preprocess.pipeline import Framer, Prepared, frames_of
from fmnist_cli.sources.items import Item
from fmnist_cli.training.restore import restore

DEFAULT_METHOD = "layercam"

Heat = npt.NDArray[np.uint8]  # [H, W], 255 = the most evidence in this picture
Infer = Callable[[Pixels], Probabilities]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A picture to be explained.

    Attributes:
        source: path of the file, or split and index.
        pixels: uint8 of the shape that the model wants, as it sees it.
        probabilities: float32 [classes], what the exported graph says of it.
        true: class id of its label; None where there is none.
        split, index: place in the data set, from 0; None for a file.
        original: uint8 [H, W, 3], RGB, or [H, W], small; None where it would show the same.
    """

    source: str
    pixels: Pixels
    probabilities: Probabilities
    true: int | None = None
    split: Split | None = None
    index: int | None = None
    original: Pixels | None = None

    @property
    def predicted(self) -> int:
        """Class id of the highest probability."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The highest probability, 0 to 1."""
        return float(self.probabilities.max())


def from_items(
    items: Iterable[Item], infer: Infer, settings: Settings, spec: InputSpec = FRAME_SPEC
) -> tuple[list[Subject], list[Rejected]]:
    """What can be read, and what cannot with its reason; each in the order of the items."""
    # As `classify` does it: same reading, same pixels, same reasons, same verdicts.
    framer = Framer(spec, settings.mode, settings.max_pixels, settings.max_bytes, side=PANEL)
    results = frames_of(items, framer, workers=available_cores())
    prepared = [result for result in results if isinstance(result, Prepared)]
    subjects: list[Subject] = []
    step = batch_of(spec)
    for start in range(0, len(prepared), step):
        chunk = prepared[start : start + step]
        pixels = np.stack([*(one.pixels for one in chunk), chunk[-1].pixels])
        probabilities = infer(pixels[: aligned(len(chunk))])
        for one, row in zip(chunk, probabilities, strict=False):
            same = one.original is None or np.array_equal(one.original, one.pixels)
            original = None if same else one.original
            subjects.append(Subject(one.path, one.pixels, row, original=original))
    return subjects, [result for result in results if isinstance(result, Rejected)]


def from_split(
    images: LabelledImages,
    split: Split,
    infer: Infer,
    *,
    class_id: int | None = None,
    wrong_only: bool = False,
    index: int | None = None,
    limit: int | None = None,
) -> list[Subject]:
    """Images of the data set, in its order.

    Args:
        infer: uint8 [N, 28, 28] → probabilities; asked only of images that may be taken.
        wrong_only: only those that the model puts into another class than the label.
        index: only the image of this place in the split, from 0.

    Raises:
        UsageError: there is no image of this place, or nothing is left.
    """
    if index is not None and index >= len(images):
        raise UsageError(
            f"--index {index} is none of the {len(images):,} {split} images, which count from 0"
        )
    places = np.arange(len(images)) if index is None else np.array([index])
    if class_id is not None:
        places = places[images.labels[places] == class_id]
    if not wrong_only:
        places = places[:limit]
    said = infer(images.pixels[places]) if len(places) else np.empty((0, 1), np.float32)
    if wrong_only:
        wrong = said.argmax(axis=1) != images.labels[places]
        places, said = places[wrong][:limit], said[wrong][:limit]
    if not len(places):
        raise UsageError(
            f"no {split} image is like that; leave out --class, --wrong-only or --index"
        )
    return [_of_split(images, split, int(p), one) for p, one in zip(places, said, strict=True)]


def _of_split(
    images: LabelledImages, split: Split, index: int, probabilities: Probabilities
) -> Subject:
    """The image of a place in a split, and what was said of it, float32 [classes]."""
    label = int(images.labels[index])
    return Subject(f"{split} {index}", images.pixels[index], probabilities, label, split, index)


def one_per_class(
    images: LabelledImages, split: Split, probabilities: Probabilities
) -> list[Subject]:
    """For every class the first image that is labelled right and the first that is not.

    A class without one goes without.
    """
    wrong = probabilities.argmax(axis=1) != images.labels
    chosen = []
    for class_id in range(probabilities.shape[1]):
        for mistaken in (False, True):
            places = np.flatnonzero((images.labels == class_id) & (wrong == mistaken))
            chosen += [_of_split(images, split, int(p), probabilities[p]) for p in places[:1]]
    return chosen


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
        layer: names of layers, as for `choose_layers`.
        layers: these layers.
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
