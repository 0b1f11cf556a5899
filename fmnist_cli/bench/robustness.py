"""Accuracy on pictures made worse on purpose, by model, kind and strength."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist_cli.bench.plan import Candidate
from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, of_data_set
from fmnist_cli.errors import ModelError
from fmnist_cli.evaluate.corruptions import GROUPS, KINDS, corrupt, counted
from fmnist_cli.evaluate.metrics import of_first
from fmnist_cli.inference.session import Session

FORMAT = 1
IMAGES = 1000
SEED = 0
_Z = 1.959964  # 95 % of a normal distribution lie within

Hits = npt.NDArray[np.bool_]


class Share(NamedTuple):
    """A mean over images, 0 to 1, and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def over_images(scores: npt.NDArray[Any]) -> Share:
    """Mean of one score per image, bool or float [N] in 0..1, with its normal interval.

    The unit is the image: what several corruptions of one image have in common is not counted as
    if they were several images.
    """
    mean = float(scores.mean())
    margin = _Z * float(scores.std(ddof=1)) / math.sqrt(len(scores)) if len(scores) > 1 else 0.0
    return Share(mean, max(mean - margin, 0.0), min(mean + margin, 1.0))


def choose(images: LabelledImages, count: int, seed: int = SEED) -> LabelledImages:
    """`count` images, equally many of each class as far as there are so many, in their old order.

    Args:
        images: labelled.
        count: at most so many.
        seed: the same one gives the same images on every platform and numpy version.
    """
    keys = np.random.PCG64(seed).random_raw(len(images))
    order = np.argsort(keys, kind="stable")
    # An image's place within its class, in drawn order: first all first ones, then all second.
    place = np.empty(len(images), np.intp)
    for class_id in np.unique(images.labels):
        members = order[images.labels[order] == class_id]
        place[members] = np.arange(len(members))
    chosen = np.sort(order[np.argsort(place[order], kind="stable")][:count])
    positions = None if images.positions is None else images.positions[chosen]
    return LabelledImages(images.pixels[chosen], images.labels[chosen], positions)


def measure(
    candidates: Sequence[Candidate],
    images: LabelledImages,
    threads: int,
    *,
    on_step: Callable[[str], object] = lambda _: None,
    on_others: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """All models on the same corrupted pictures: the document's part that is measured.

    Args:
        candidates: with unique names.
        images: what is corrupted; see `choose`.
        threads: ONNX Runtime's threads within one call.
        on_step: told what happens next.
        on_others: told the names of models of other images or classes, which are left out.

    Raises:
        ModelError: a file is no usable model, or no model is of the data set.
    """
    sessions = {one.name: Session(one.file, threads) for one in candidates}
    for name, session in list(sessions.items()):
        if not of_data_set(session.card):
            on_others(name)
            del sessions[name]
    if not sessions:
        raise ModelError(
            "no model takes the images of Fashion-MNIST and knows its ten classes, so there is"
            " nothing to measure; name others by --model"
        )
    on_step("clean images")
    clean = {n: _hits(s, images.pixels, images.labels) for n, s in sessions.items()}
    hits: dict[str, dict[str, list[Hits]]] = {name: {} for name in sessions}
    for number, (kind, corruption) in enumerate(KINDS.items(), start=1):
        strengths = len(corruption.levels)
        for strength in range(1, strengths + 1):
            on_step(
                f"{corruption.title.lower()}, strength {strength} of {strengths}"
                f" (kind {number} of {len(KINDS)})"
            )
            pixels = corrupt(kind, images.pixels, strength, SEED)
            for name, session in sessions.items():
                found = _hits(session, pixels, images.labels)
                hits[name].setdefault(kind, []).append(found)
    files = {one.name: one.file for one in candidates}
    return {
        "images": len(images),
        "seed": SEED,
        # Of the very pixels, so that two documents can be known to be of the same pictures.
        "images_sha256": hashlib.sha256(images.pixels.tobytes()).hexdigest(),
        **described(),
        "models": {
            name: {
                "title": file.entry.title if file.entry else file.name,
                "sha256": file.sha256,
                **summary(clean[name], hits[name]),
            }
            for name, file in files.items()
            if name in sessions
        },
    }


def described() -> dict[str, Any]:
    """The groups and kinds, so that a document says by itself what was measured."""
    return {
        "groups": {
            group: {"title": title, "counted": in_mean}
            for group, (title, in_mean) in GROUPS.items()
        },
        "kinds": {
            name: {
                "title": kind.title,
                "group": kind.group,
                "source": kind.source,
                "parameter": kind.parameter,
                "levels": list(kind.levels),
            }
            for name, kind in KINDS.items()
        },
    }


def _hits(session: Session, pixels: Pixels, labels: Labels) -> Hits:
    """Which images are told right, bool [N]."""
    probabilities = of_first(session.probabilities(pixels), len(CLASS_NAMES))
    right: Hits = probabilities.argmax(axis=1) == labels
    return right


def summary(clean: Hits, hits: Mapping[str, Sequence[Hits]]) -> dict[str, Any]:
    """A model's figures.

    Args:
        clean: which images it tells right as they are, bool [N].
        hits: by kind of `KINDS`, for each strength, which it tells right.
    """
    of_kind = {kind: np.mean(found, axis=0) for kind, found in hits.items()}
    in_group = {
        group: np.mean([of_kind[kind] for kind in KINDS if KINDS[kind].group == group], axis=0)
        for group in GROUPS
    }
    names = counted()
    by_strength = np.mean([hits[kind] for kind in names], axis=0)
    corrupted = over_images(by_strength.mean(axis=0))
    untouched = over_images(clean)
    return {
        "clean": untouched._asdict(),
        "mean_corruption_accuracy": corrupted._asdict(),
        "relative_drop": 1 - corrupted.mean / untouched.mean if untouched.mean else None,
        "by_strength": [over_images(scores)._asdict() for scores in by_strength],
        "by_group": {group: over_images(scores)._asdict() for group, scores in in_group.items()},
        "by_kind": {
            kind: {
                **over_images(of_kind[kind])._asdict(),
                "accuracy": [float(one.mean()) for one in found],
            }
            for kind, found in hits.items()
        },
    }
