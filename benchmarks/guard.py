"""How well the shipped guard tells what is no known garment, beside scores of the models.

Known are the 10,000 test images; strange are the MNIST test digits (--digits), noise and
textures from a seed, and, with --photos, photos of garments that no class is for, against photos
of those that have one. Larger scores are stranger: novelty, and of some models one minus the
highest probability; with --distances, of `resnet` also the energy (Liu et al. 2020) and distances
in its features, Mahalanobis (Lee et al. 2018), relative (Ren et al. 2021) and to the nearest
neighbours (Sun et al. 2022), with the training images as reference.

Run: python benchmarks/guard.py --digits t10k-images-idx3-ubyte.gz
     [--photos FOLDER --classes data/samples/photos.toml]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from harness.distances import RESNET, resnet_scores
from harness.strangers import strangers

from fmnist_cli import __version__
from fmnist_cli.contract import Pixels
from fmnist_cli.data.classes import read_meanings, resolve
from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.idx import read_idx
from fmnist_cli.evaluate.novelty import auroc, missed
from fmnist_cli.files import write_text
from fmnist_cli.labelled.folders import LabelledFolders, read_folders
from fmnist_cli.machine import Machine
from fmnist_cli.manifest import Manifest
from fmnist_cli.runtime.guard import PART, Guard
from fmnist_cli.runtime.isolate import open_isolator
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import find_models_dir, open_model, open_part

TARGET = Path(__file__).resolve().parent / "results" / "guard.json"
SEED, COUNT = 0, 2_000
BATCH = 250
SHARES = (0.9, 0.95, 0.99)

Score = Callable[[Pixels], np.ndarray[Any, np.dtype[np.float32]]]  # [N, 28, 28] → [N]


def guard_score() -> Score:
    """The novelty of the shipped guard."""
    guard = Guard(open_part(PART))

    def score(pixels: Pixels) -> np.ndarray[Any, np.dtype[np.float32]]:
        starts = range(0, len(pixels), BATCH)
        return np.concatenate([guard.novelty(pixels[at : at + BATCH]) for at in starts])

    return score


def doubt_of(model: str) -> Score:
    """One minus the highest probability of a model."""
    session = Session(open_model(model))
    return lambda pixels: 1 - session.probabilities(pixels).max(axis=1)


def compared(known: np.ndarray[Any, Any], strange: np.ndarray[Any, Any]) -> dict[str, float]:
    """What is reported of one set."""
    return {
        "images": len(strange),
        "auroc": round(auroc(known, strange), 5),
        "known_lost_at_95": round(missed(known, strange), 5),
    }


def measure(score: Score, test: Pixels, sets: Mapping[str, Pixels]) -> dict[str, Any]:
    """One score over all sets but photos."""
    known = score(test)
    return {name: compared(known, score(pixels)) for name, pixels in sets.items()}


def of_photos(score: Score, found: LabelledFolders, classes: Path) -> dict[str, Any]:
    """One score over photos: strange folders against those that have a class."""
    columns = resolve(found.folders, _class_names(), read_meanings(classes)).columns
    folders = np.array(found.folders)[found.members]
    values = score(found.pixels)
    strange = [folder for folder in found.folders if not columns[folder]]
    known = values[~np.isin(folders, strange)]
    result = {folder: compared(known, values[folders == folder]) for folder in strange}
    result["all"] = compared(known, values[np.isin(folders, strange)])
    return result


def _class_names() -> tuple[str, ...]:
    return Guard(open_part(PART)).card.class_names


def accepted(test: Pixels, found: LabelledFolders | None, classes: Path) -> dict[str, Any]:
    """What --unknown-at leaves known: of the test images, of known photos, of strange ones."""
    result: dict[str, Any] = {}
    novelty = guard_score()
    known_test = novelty(test)
    for share in SHARES:
        guard = Guard(open_part(PART), share)
        row = {"test": round(float(np.mean(known_test <= guard.limit("frame"))), 4)}
        if found is not None:
            columns = resolve(found.folders, _class_names(), read_meanings(classes)).columns
            known = np.array([bool(columns[folder]) for folder in found.folders])[found.members]
            values = novelty(found.pixels) <= guard.limit("photo")
            row["known_photos"] = round(float(values[known].mean()), 4)
            row["strange_photos"] = round(float(values[~known].mean()), 4)
        result[str(share)] = row
    return result


def main() -> None:
    """Measure and write `TARGET`; without --photos those of an earlier run stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=Path, required=True)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--classes", type=Path, default=Path("data/samples/photos.toml"))
    parser.add_argument(
        "--models", nargs="*", default=["resnet"], help="whose doubt is scored, too"
    )
    parser.add_argument("--distances", action="store_true", help="in resnet's features, too")
    options = parser.parse_args()
    test = load_split("test")
    sets = {
        "MNIST digits": read_idx(options.digits, dtype=np.uint8, ndim=3),
        **strangers(SEED, COUNT, test.pixels),
    }
    found = None
    if options.photos is not None:
        found = read_folders(options.photos, "photo", open_isolator("photo"))
    folder = find_models_dir()
    scores: dict[str, Score] = {"guard": guard_score()}
    scores |= {f"{model}: doubt": doubt_of(model) for model in options.models}
    if options.distances:
        scores |= {f"{RESNET}: {name}": score for name, score in resnet_scores().items()}
    document: dict[str, Any] = {
        "command": "python benchmarks/guard.py",
        "version": __version__,
        "machine": asdict(Machine.current("cpu")),
        "guard": Manifest.read(folder).parts[PART].sha256,
        "seed": SEED,
        "accepted": accepted(test.pixels, found, options.classes),
        "scores": {},
    }
    for name, score in scores.items():
        document["scores"][name] = measure(score, test.pixels, sets)
        if found is not None:
            document["scores"][name]["photos"] = of_photos(score, found, options.classes)
        print(name, json.dumps(document["scores"][name]))
    write_text(TARGET, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
