"""What a model makes of labelled pictures: right or not, by folder, and what it takes them for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import UNKNOWN, Labels, Novelty, Probabilities
from fmnist_cli.evaluate.metrics import auroc, interval, is_right, macro, recalls
from fmnist_cli.inference.classifier import Route
from fmnist_cli.inference.session import batch_of
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import FolderClasses

Mask = npt.NDArray[np.bool_]  # [N]

SHORT = 4  # letters of a class in the head of a column: ten of them fit a usual terminal


@dataclass(frozen=True, slots=True)
class FolderResult:
    """One folder.

    Attributes:
        folder: its name.
        classes: those that are right; none where the right answer is "unknown".
        images: pictures in it.
        right: of these, labelled with one of `classes`; None where there is none.
        unknown: of these, told to be no class of the model; None where that was not asked.
        labels: how often each label was given, the most frequent first.
    """

    folder: str
    classes: tuple[str, ...]
    images: int
    right: int | None
    unknown: int | None
    labels: Mapping[str, int]

    @property
    def mistaken(self) -> tuple[str, int] | None:
        """The most frequent wrong label; None where all are right."""
        return next((pair for pair in self.labels.items() if pair[0] not in self.classes), None)


@dataclass(frozen=True, slots=True)
class UnknownResult:
    """How well what is no class of the model is told from what is one; shares are 0 to 1.

    Attributes:
        images: pictures in folders that mean "unknown".
        recognised: share of them that is called so; None without any.
        wrongly_unknown: share of the others that is called so.
        accuracy: share of the others that is labelled and labelled right.
        auroc: probability that one of these pictures is more novel than one of the others; None
            without any.
    """

    images: int
    recognised: float | None
    wrongly_unknown: float
    accuracy: float
    auroc: float | None


class Strangeness(NamedTuple):
    """What is strange among the pictures.

    Attributes:
        novelty: float32 [N], larger is stranger.
        strange: bool [N], which are unknown.
    """

    novelty: Novelty
    strange: Mask


def judge(found: LabelledPictures, route: Route) -> tuple[Probabilities, Strangeness | None]:
    """What a model says of prepared pictures, and what is strange to it if that is asked."""
    step = batch_of(route.spec)
    starts = range(0, len(found), step)
    said = [route.infer(found.pixels[at : at + step]) for at in starts]
    probabilities = np.concatenate([outputs.probabilities for outputs in said])
    values = [outputs.novelty for outputs in said if outputs.novelty is not None]
    if route.limit is None or not values:
        return probabilities, None
    novelty: Novelty = np.concatenate(values)
    limits = {name: route.limit(name) for name in set(found.prepared)}
    strange = novelty > np.array([limits[name] for name in found.prepared])
    return probabilities, Strangeness(novelty, strange)


@dataclass(frozen=True, slots=True, eq=False)
class FolderEvaluation:
    """One model on labelled folders.

    Attributes:
        class_names: of the model.
        images: pictures in folders that mean a class; what accuracies are over.
        accuracy: share of them that is labelled right, 0 to 1.
        macro_accuracy: mean over their folders.
        folders: each folder, those that mean "unknown" included.
        unknown: see there; None where that was not asked.
        predicted: int64 [N], column of each picture's label.
        confidence: float32 [N], its probability.
        is_unknown: bool [N], which are told to be no class; none where that was not asked.
        wrong: bool [N], which have the wrong label, or are called unknown and are not, or are
            unknown and not called so where that was asked.
        folds: of the cross-validation that this is of; 0 where nothing was learned from pictures.
    """

    class_names: tuple[str, ...]
    images: int
    accuracy: float
    macro_accuracy: float
    folders: tuple[FolderResult, ...]
    unknown: UnknownResult | None
    predicted: Labels
    confidence: npt.NDArray[np.float32]
    is_unknown: Mask
    wrong: Mask
    folds: int = 0

    @property
    def given(self) -> list[str]:
        """The labels that were given, in the order of the classes."""
        given = {label for one in self.folders for label in one.labels}
        return [name for name in self.class_names if name in given]

    @property
    def interval(self) -> tuple[float, float]:
        """Where the accuracy lies, with 95 % confidence, 0 to 1."""
        return interval(round(self.accuracy * self.images), self.images, self.folds)

    def to_json(self) -> dict[str, Any]:
        """The figures as JSON values; confusion is by folder and label."""
        return {
            "images": self.images,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "macro_accuracy": self.macro_accuracy,
            "folders": {
                one.folder: {
                    "classes": list(one.classes) or [UNKNOWN],
                    "images": one.images,
                    "right": one.right,
                    "unknown": one.unknown,
                }
                for one in self.folders
            },
            "confusion": {one.folder: dict(one.labels) for one in self.folders},
            "unknown": None if self.unknown is None else asdict(self.unknown),
        }


def evaluate_folders(
    found: LabelledPictures,
    classes: FolderClasses,
    probabilities: Probabilities,
    strangeness: Strangeness | None = None,
) -> FolderEvaluation:
    """Measure a model.

    Args:
        probabilities: float32 [N, classes] of `found.pixels`.
        strangeness: of each picture; None where that is not asked.
    """
    truth = found.truth(classes)
    predicted: Labels = probabilities.argmax(axis=1).astype(np.int64)
    right = is_right(predicted, truth)
    known: Mask = ~truth[:, -1]
    asked = strangeness is not None
    strange: Mask = np.zeros(len(found), np.bool_)
    shares = recalls(right[known], found.members[known], found.folders)
    unknown = None
    if strangeness is not None:
        strange, novelty = strangeness.strange, strangeness.novelty
        both = bool(known.any() and not known.all())
        unknown = UnknownResult(
            images=int((~known).sum()),
            recognised=_share(strange[~known]),
            wrongly_unknown=_share(strange[known]) or 0.0,
            accuracy=_share((right & ~strange)[known]) or 0.0,
            auroc=auroc(novelty[known], novelty[~known]) if both else None,
        )
    return FolderEvaluation(
        class_names=classes.class_names,
        images=int(known.sum()),
        accuracy=_share(right[known]) or 0.0,
        macro_accuracy=macro(shares),
        folders=tuple(
            _folder(name, at, found, classes, (predicted, right, strange if asked else None))
            for at, name in enumerate(found.folders)
        ),
        unknown=unknown,
        predicted=predicted,
        confidence=probabilities.max(axis=1),
        is_unknown=strange,
        wrong=np.where(known, ~right | strange, asked & ~strange),
    )


def _folder(
    name: str,
    at: int,
    found: LabelledPictures,
    classes: FolderClasses,
    said: tuple[Labels, Mask, Mask | None],
) -> FolderResult:
    members = found.members == at
    predicted, right, strange = said
    names = tuple(classes.class_names[column] for column in classes.columns[name])
    counts = Counter(classes.class_names[column] for column in predicted[members].tolist())
    return FolderResult(
        folder=name,
        classes=names,
        images=int(members.sum()),
        right=int(right[members].sum()) if names else None,
        unknown=None if strange is None else int(strange[members].sum()),
        labels=dict(counts.most_common()),
    )


def _share(mask: Mask) -> float | None:
    """Share that is true; None of none."""
    return float(mask.mean()) if len(mask) else None


def accuracy_words(found: FolderEvaluation) -> str:
    """Accuracy, what that says of all such pictures, and its mean over folders."""
    low, high = found.interval
    return (
        f"accuracy {found.accuracy:.4f} on {found.images:,} pictures (95 %: {low:.0%} to"
        f" {high:.0%}), mean over folders {found.macro_accuracy:.4f}"
    )


def folder_rows(found: FolderEvaluation) -> list[tuple[str, ...]]:
    """Cells of a table, headings first.

    A row per folder: how many are right, what that says of all such pictures, the usual mistake.

    The interval is of 95 %; see `fmnist_cli.evaluate.metrics.interval`.
    """
    unknown = () if found.unknown is None else (UNKNOWN,)
    rows = [("folder", "right", "recall", "95 %", *unknown, "most often taken for")]
    for one in found.folders:
        right = f"– of {one.images:,}"
        recall = between = "–"
        if one.right is not None:
            right = f"{one.right:,} of {one.images:,}"
            if one.images:
                low, high = interval(one.right, one.images, found.folds)
                recall, between = f"{one.right / one.images:.1%}", f"{low:.0%}–{high:.0%}"
        unknown = () if one.unknown is None else (f"{one.unknown:,}",)
        mistaken = f"{one.mistaken[0]} ({one.mistaken[1]:,})" if one.mistaken else ""
        rows.append((one.folder, right, recall, between, *unknown, mistaken))
    return rows


def confusion_rows(found: FolderEvaluation) -> list[tuple[str, ...]]:
    """Cells of a table, headings first. A row per folder, a column per label that was given."""
    return [
        ("true ↓ said →", *(name[:SHORT] for name in found.given)),
        *((one.folder, *(str(one.labels.get(n, 0)) for n in found.given)) for one in found.folders),
    ]


def unknown_words(found: FolderEvaluation) -> str:
    """What was made of folders that are no class of the model."""
    left_out = [one for one in found.folders if not one.classes]
    images = sum(one.images for one in left_out)
    if found.unknown is None:
        if not images:
            return ""
        names = ", ".join(one.folder for one in left_out)
        return f'left out of the accuracy: {images:,} pictures of {names}, which mean "unknown"'
    result = found.unknown
    words = f"called unknown: {result.wrongly_unknown:.1%} of pictures that have a class"
    if result.recognised is not None:
        words += f", {result.recognised:.1%} of the {result.images:,} that have none"
    if result.auroc is not None:
        words += f" (AUROC {result.auroc:.3f})"
    return f"{words}; labelled, and right: {result.accuracy:.1%}"
