"""Accuracy of exported models on test images made worse on purpose, by kind and strength.

Run: python benchmarks/robustness.py [-m MODEL]… [--images 1000] [-o FILE]

Every model labels the very same pictures. docs/research/robustness.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shlex
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from harness.corruptions import GROUPS, KINDS, corrupt, counted

from fmnist_cli.bench.run import circumstances
from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, of_data_set
from fmnist_cli.errors import ModelError
from fmnist_cli.evaluate.metrics import of_first
from fmnist_cli.files import write_text
from fmnist_cli.inference.models import ModelFile, find_models_dir, open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import available_cores
from fmnist_cli.manifest import Manifest

TARGET = Path(__file__).resolve().parent / "results" / "robustness.json"
FORMAT = 1
IMAGES = 1000
SEED = 0
_Z = 1.959964  # 95 % of a normal distribution lie within

Hits = npt.NDArray[np.bool_]  # [N], which images are told right


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

    The same seed gives the same images on every platform and numpy version; more images are the
    same ones and others besides.
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


def hits_of(session: Session, pixels: Pixels, labels: Labels) -> Hits:
    """Which images a model tells right, bool [N]."""
    probabilities = of_first(session.probabilities(pixels), len(CLASS_NAMES))
    right: Hits = probabilities.argmax(axis=1) == labels
    return right


def measure(files: Mapping[str, ModelFile], images: LabelledImages) -> dict[str, Any]:
    """All models on the same corrupted pictures, by the name of the model.

    Models of other images or classes are left out.

    Raises:
        ModelError: a file is no usable model, or no model is of the data set.
    """
    sessions = {name: Session(file, available_cores()) for name, file in files.items()}
    others = [name for name, session in sessions.items() if not of_data_set(session.card)]
    if others:
        print("left out, as models of other images or classes:", *others, file=sys.stderr)
    sessions = {name: session for name, session in sessions.items() if name not in others}
    if not sessions:
        raise ModelError(
            "no model takes the images of Fashion-MNIST and knows its ten classes, so there is"
            " nothing to measure; name others with -m"
        )
    clean = {name: hits_of(one, images.pixels, images.labels) for name, one in sessions.items()}
    hits: dict[str, dict[str, list[Hits]]] = {name: {kind: [] for kind in KINDS} for name in clean}
    for kind, corruption in KINDS.items():
        print(corruption.title, file=sys.stderr, flush=True)
        for strength in range(1, len(corruption.levels) + 1):
            pixels = corrupt(kind, images.pixels, strength, SEED)
            for name, session in sessions.items():
                hits[name][kind].append(hits_of(session, pixels, images.labels))
    return {
        name: {
            "title": files[name].entry.title if files[name].entry else name,
            "sha256": files[name].sha256,
            **summary(clean[name], hits[name]),
        }
        for name in sessions
    }


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
    by_strength = np.mean([hits[kind] for kind in counted()], axis=0)
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


def examples(images: LabelledImages) -> dict[str, dict[str, str]]:
    """For each kind a garment as it is, then at each strength, for the report.

    Returns:
        By kind the ``class`` of the garment, and a ``strip``: base64 of a PNG of 28×28 tiles side
        by side, as many in every strip, so that all pixels are of one size; missing ones are black.
    """
    tiles = 1 + max(len(kind.levels) for kind in KINDS.values())
    found = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        class_id = number % len(CLASS_NAMES)
        (picture,) = images.pixels[images.labels == class_id][:1]
        strip = np.zeros((tiles, *picture.shape), np.uint8)
        strip[0] = picture
        for strength in range(1, len(kind.levels) + 1):
            strip[strength] = corrupt(name, picture[None], strength)[0]
        content = cv2.imencode(".png", np.concatenate(list(strip), axis=1))[1].tobytes()
        found[name] = {"class": CLASS_NAMES[class_id], "strip": b64encode(content).decode()}
    return found


def table(document: Mapping[str, Any]) -> Iterator[str]:
    """A line per group and kind, a column per model; accuracy in %."""
    models = document["models"].values()
    rows: list[tuple[str, list[float]]] = [
        ("clean", [one["clean"]["mean"] for one in models]),
        ("mean", [one["mean_corruption_accuracy"]["mean"] for one in models]),
    ]
    for group, about in document["groups"].items():
        rows.append((about["title"], [one["by_group"][group]["mean"] for one in models]))
        for name, kind in document["kinds"].items():
            if kind["group"] == group:
                title = f"  {kind['title'].lower()}"
                rows.append((title, [one["by_kind"][name]["mean"] for one in models]))
    yield " " * 20 + "".join(f"{name[:13]:>15}" for name in document["models"])
    for title, shares in rows:
        yield f"{title:<20}" + "".join(f"{100 * share:>15.1f}" for share in shares)


def main() -> None:
    """Measure, print a table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", action="append", help="name or file; all by default")
    parser.add_argument("--images", type=int, default=IMAGES, help="test images")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    options = parser.parse_args()
    started = datetime.now(UTC)
    test = load_split("test", options.data_dir)
    images = choose(test, options.images)
    asked = options.model or list(Manifest.read(find_models_dir(options.models_dir)).models)
    files = {file.name: file for file in (open_model(one, options.models_dir) for one in asked)}
    words = ["python", "benchmarks/robustness.py", "--images", str(len(images))]
    words += [word for one in options.model or () for word in ("-m", Path(one).name)]
    document = {
        "format": FORMAT,
        "command": shlex.join(words),
        **circumstances(started, more=("opencv-python-headless",)),
        "split": "test",
        "images": len(images),
        "seed": SEED,
        # Of the very pixels, so that two documents can be known to be of the same pictures.
        "images_sha256": hashlib.sha256(images.pixels.tobytes()).hexdigest(),
        **described(),
        "examples": examples(test),
        "models": measure(files, images),
    }
    print(*table(document), sep="\n")
    write_text(options.output, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
