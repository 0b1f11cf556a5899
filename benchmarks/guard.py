"""How well the shipped guard tells what is no known garment, beside scores of the models.

Known are the 10,000 test images; strange are the MNIST test digits (--digits), and noise and
textures from a seed. Larger scores are stranger: novelty, and of some models one minus the
highest probability; with --distances, of `resnet` also the energy (Liu et al. 2020) and distances
in its features, Mahalanobis (Lee et al. 2018), relative (Ren et al. 2021) and to the nearest
neighbours (Sun et al. 2022), with the training images as reference.

Run: python benchmarks/guard.py --digits t10k-images-idx3-ubyte.gz
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from harness.distances import RESNET, resnet_scores
from harness.strangers import strangers

from fmnist_cli import __version__
from fmnist_cli.contract import Pixels
from fmnist_cli.data.dataset import load_split, read_idx
from fmnist_cli.evaluate.metrics import Scores, auroc
from fmnist_cli.files import write_text
from fmnist_cli.inference.models import find_models_dir, open_model, open_part
from fmnist_cli.inference.ood import PART, Guard
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import Machine
from fmnist_cli.manifest import Manifest

TARGET = Path(__file__).resolve().parent / "results" / "guard.json"
SEED, COUNT = 0, 2_000
BATCH = 250
SHARES = (0.9, 0.95, 0.99)

Score = Callable[[Pixels], np.ndarray[Any, np.dtype[np.float32]]]  # [N, 28, 28] → [N]


def missed(known: Scores, strange: Scores, caught: float = 0.95) -> float:
    """Share of what is known that is taken for strange when this share of the strange is caught.

    The false positive rate at a true positive rate of `caught`, what is strange being positive.
    """
    limit = np.quantile(strange, 1 - caught)
    return float(np.mean(np.asarray(known) >= limit))


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
    """One score over all sets."""
    known = score(test)
    return {name: compared(known, score(pixels)) for name, pixels in sets.items()}


def accepted(test: Pixels) -> dict[str, float]:
    """The share of the test images that stays known at each --unknown-at."""
    novelty = guard_score()(test)
    limits = {share: Guard(open_part(PART), share).limit("frame") for share in SHARES}
    return {str(share): round(float(np.mean(novelty <= at)), 4) for share, at in limits.items()}


def main() -> None:
    """Measure and write `TARGET`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digits", type=Path, required=True)
    parser.add_argument(
        "--models", nargs="*", default=["resnet"], help="whose doubt is scored, too"
    )
    parser.add_argument("--distances", action="store_true", help="in resnet's features, too")
    options = parser.parse_args()
    test = load_split("test")
    sets = {
        "MNIST digits": read_idx(options.digits, axes=3),
        **strangers(SEED, COUNT, test.pixels),
    }
    folder = find_models_dir()
    scores: dict[str, Score] = {"guard": guard_score()}
    scores |= {f"{model}: doubt": doubt_of(model) for model in options.models}
    if options.distances:
        scores |= {f"{RESNET}: {name}": score for name, score in resnet_scores().items()}
    document: dict[str, Any] = {
        "command": "python benchmarks/guard.py",
        "version": __version__,
        "machine": Machine.current("cpu")._asdict(),
        "guard": Manifest.read(folder).parts[PART].sha256,
        "seed": SEED,
        "accepted": accepted(test.pixels),
        "scores": {},
    }
    for name, score in scores.items():
        document["scores"][name] = measure(score, test.pixels, sets)
        print(name, json.dumps(document["scores"][name]))
    write_text(TARGET, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
