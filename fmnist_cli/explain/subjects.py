"""The pictures that are explained: files, read as `fmnist classify` reads them, or a split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from fmnist_cli.contract import InputSpec, Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import FRAME_SPEC, Split
from fmnist_cli.errors import UsageError
from fmnist_cli.inference.classifier import Classifier, Route, Settings
from fmnist_cli.inference.session import Outputs
from fmnist_cli.rows import Rejected
from fmnist_cli.sources.base import Item

_CHUNK = 250

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
    """

    source: str
    pixels: Pixels
    probabilities: Probabilities
    true: int | None = None
    split: Split | None = None
    index: int | None = None

    @property
    def predicted(self) -> int:
        """Class id of the highest probability."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The highest probability, 0 to 1."""
        return float(self.probabilities.max())


def from_items(
    items: Iterable[Item],
    infer: Infer,
    class_names: Sequence[str],
    settings: Settings,
    spec: InputSpec = FRAME_SPEC,
) -> tuple[list[Subject], list[Rejected]]:
    """What can be read, and what cannot with its reason; each in the order of the items."""
    subjects: list[Subject] = []
    rejected: list[Rejected] = []
    for chunk in _chunks(items):
        seen: list[tuple[Pixels, Probabilities]] = []

        def noting(pixels: Pixels, seen: list[tuple[Pixels, Probabilities]] = seen) -> Outputs:
            probabilities = infer(pixels)
            seen.append((pixels.copy(), probabilities))
            return Outputs(probabilities)

        # The unit of work of `classify`: same reading, same frames, same reasons, same verdicts.
        rows = Classifier(Route(noting, spec, class_names), settings=settings)(chunk)
        found = (
            (frame, row) for pixels, rows_ in seen for frame, row in zip(pixels, rows_, strict=True)
        )
        for row in rows:
            if isinstance(row, Rejected):
                rejected.append(row)
            else:
                frame, probabilities = next(found)
                subjects.append(Subject(row.path, frame, probabilities))
    return subjects, rejected


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    stream = iter(items)
    while chunk := list(islice(stream, _CHUNK)):
        yield chunk


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
        images: the split.
        split: its name.
        infer: uint8 [N, 28, 28] → probabilities; asked only of images that may be taken.
        class_id: only images with this label.
        wrong_only: only those that the model puts into another class than the label.
        index: only the image of this place in the split, from 0.
        limit: at most so many.

    Raises:
        UsageError: there is no image of this place, or nothing is left.
    """
    keep = np.ones(len(images), bool)
    if index is not None:
        if index >= len(images):
            raise UsageError(
                f"--index {index} is none of the {len(images):,} {split} images, which count from 0"
            )
        keep &= np.arange(len(images)) == index
    if class_id is not None:
        keep &= images.labels == class_id
    places = np.flatnonzero(keep)
    if not wrong_only:
        places = places[:limit]
    probabilities = infer(images.pixels[places]) if len(places) else np.empty((0, 1), np.float32)
    taken = np.ones(len(places), bool)
    if wrong_only:
        taken = probabilities.argmax(axis=1) != images.labels[places]
    if not taken.any():
        raise UsageError(
            f"no {split} image is like that; leave out --class, --wrong-only or --index"
        )
    chosen = zip(places[taken][:limit], probabilities[taken][:limit], strict=True)
    return [_of_split(images, split, int(place), said) for place, said in chosen]


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
