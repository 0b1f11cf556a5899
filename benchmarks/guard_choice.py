"""What each kind of example is worth to the guard, and what it does with kinds it never saw.

Every variant is fitted without a quarter of the photos and judged by those, by validation images
and by drawn frames of another seed; the sets of benchmarks/guard.py have no part in it.

Run: python benchmarks/guard_choice.py PHOTOS [--classes data/samples/photos.toml]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmnist_cli import __version__
from fmnist_cli.data.classes import read_meanings
from fmnist_cli.evaluate.novelty import auroc
from fmnist_cli.files import write_text
from fmnist_cli.guard.drawn import draw
from fmnist_cli.guard.examples import DRAWN, Examples, Photos, gather, histograms
from fmnist_cli.guard.fit import fit, novelty
from fmnist_cli.guard.job import folds
from fmnist_cli.labelled.folders import read_folders
from fmnist_cli.machine import Machine
from fmnist_cli.runtime.isolate import open_isolator
from fmnist_cli.training.job import TrainingData

TARGET = Path(__file__).resolve().parent / "results" / "guard-choice.json"
JUDGED = 500  # drawn frames of each family
LEFT_OUT = (
    ("strokes", "shapes"),
    ("clouds", "specks", "slopes"),
    ("lattices", "mosaics", "scraps"),
)

Variant = tuple[str, Examples, torch.Tensor]  # name, examples, the photos to learn from


def variants(
    examples: Examples, photos: Photos, held: torch.Tensor, families: list[str]
) -> Iterator[Variant]:
    """Ways to make a guard from parts of the same examples."""
    rest = torch.nonzero(~held)[:, 0]
    yield "as shipped", examples, rest
    yield "no photos of unknown garments", examples, torch.nonzero(~held & ~photos.strange)[:, 0]
    sides = torch.stack([~photos.strange, photos.strange], dim=1)
    yield (
        "two outputs, known and strange",
        examples._replace(
            labels=torch.zeros_like(examples.labels),
            photos=photos._replace(truth=sides),
            known=1,
            outputs=2,
        ),
        rest,
    )
    for gone in LEFT_OUT:
        parts = zip(families, examples.drawn.split(DRAWN), strict=True)
        drawn = torch.cat([part for family, part in parts if family not in gone])
        yield f"no {', '.join(gone)}", examples._replace(drawn=drawn), rest


def main() -> None:
    """Fit and judge every variant; writes `TARGET`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--classes", type=Path, default=Path("data/samples/photos.toml"))
    options = parser.parse_args()
    data = TrainingData.load()
    found = read_folders(options.photos, "photo", open_isolator("photo"))
    photos = Photos.of(found, read_meanings(options.classes))
    examples = gather(data.train, photos, seed=0, report=print)
    judged = {k: histograms(v) for k, v in draw(1, JUDGED, data.validation.pixels).items()}
    validation = histograms(data.validation.pixels)
    held = next(folds(photos, 0))
    as_they_are = examples.views[0]
    results: dict[str, Any] = {}
    for name, using, chosen in variants(examples, photos, held, list(judged)):
        network = fit(using, chosen)
        ordinary = novelty(network, validation)
        known = novelty(network, as_they_are[held & ~photos.strange])
        strange = novelty(network, as_they_are[held & photos.strange])
        results[name] = {
            "photos_auroc": round(auroc(known, strange), 4),
            "photos_rejected_at_0.95": round(float(np.mean(strange > np.quantile(known, 0.95))), 4),
            "drawn_auroc": {
                family: round(auroc(ordinary, novelty(network, features)), 5)
                for family, features in judged.items()
            },
        }
        print(name, json.dumps(results[name]), flush=True)
    document = {
        "command": "python benchmarks/guard_choice.py PHOTOS",
        "version": __version__,
        "machine": asdict(Machine.current("cpu")),
        "photos_held_out": int(held.sum()),
        "variants": results,
    }
    write_text(TARGET, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
