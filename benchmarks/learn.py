"""How good models of own classes are, whether what `fmnist learn` says of them holds, and its time.

    python benchmarks/learn.py --photos FOLDER --own FOLDER

FOLDER of photos holds train/ and validation/, of own classes one folder per class. Training photos
are drawn at random, several times; a model learns from them and is judged on the others. The
command itself is timed as a process, start included.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist_cli import __version__
from fmnist_cli.contract import Embeddings
from fmnist_cli.evaluate.metrics import interval
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.labelled.source import open_labelled
from fmnist_cli.learn.head import cross_validate, fit
from fmnist_cli.learn.pictures import see
from fmnist_cli.machine import Machine

RESULTS = Path(__file__).parent / "results" / "learn.json"
SEVEN = ("dress", "longsleeve", "outwear", "pants", "shirt", "shoes", "t-shirt")
KNOWN = 0.95


class Photos(NamedTuple):
    """Features of photos, and the label of each."""

    embeddings: Embeddings
    labels: npt.NDArray[np.str_]

    def of(self, chosen: npt.NDArray[Any]) -> Photos:
        """Some of them."""
        return Photos(self.embeddings[chosen], self.labels[chosen])


def read(folder: Path, names: Sequence[str] | None = None) -> Photos:
    """The photos of some class folders, or of all."""
    examples, _ = see(open_labelled(folder, None), {}, Session(open_model("photo")))
    photos = Photos(examples.embeddings, examples.labels)
    return photos if names is None else photos.of(np.isin(photos.labels, names))


def drawn(photos: Photos, each: int, seed: int) -> tuple[Photos, Photos]:
    """So many photos of each class, and all others."""
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(photos.labels == name) for name in np.unique(photos.labels)]
    chosen = np.concatenate([rng.permutation(members)[:each] for members in classes])
    return photos.of(chosen), photos.of(np.setdiff1d(np.arange(len(photos.labels)), chosen))


def judged(train: Photos, test: Photos) -> dict[str, Any]:
    """Learn, and judge on other photos."""
    names = np.unique(train.labels)
    members, truth = (np.searchsorted(names, one.labels) for one in (train, test))
    strength, held = cross_validate(train.embeddings, members)
    head = fit(train.embeddings, members, strength)
    right = head.logits(test.embeddings[:, 0]).argmax(axis=1) == truth
    told = int((held.logits.argmax(axis=1) == members).sum())
    low, high = interval(told, len(members), held.folds)
    limit = float(np.quantile(held.novelty, KNOWN, method="higher"))
    return {
        "macro": float(np.mean([right[truth == one].mean() for one in range(len(names))])),
        "accuracy": float(right.mean()),
        "told": told / len(members),
        "interval": [low, high],
        "holds": bool(low <= right.mean() <= high),
        "known": float((head.novelty(test.embeddings[:, 0]) <= limit).mean()),
    }


def over(draws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over draws, and how often the interval holds."""
    means = {name: float(np.mean([d[name] for d in draws])) for name in ("macro", "told", "known")}
    return {
        **means,
        "draws": len(draws),
        "spread": float(np.std([one["macro"] for one in draws])),
        "interval_holds": sum(one["holds"] for one in draws),
        "known_least": min(one["known"] for one in draws),
        "known_most": max(one["known"] for one in draws),
    }


def timed(folder: Path, names: Sequence[str], each: int | None) -> dict[str, Any]:
    """Seconds of the whole command on links to photos of these folders."""
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            (Path(place) / "mine" / name).mkdir(parents=True)
            for photo in sorted((folder / name).iterdir())[:each]:
                (Path(place) / "mine" / name / photo.name).symlink_to(photo.resolve())
        words = [sys.executable, "-m", "fmnist_cli", "learn", "mine", "--json"]
        started = time.monotonic()
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=True)
        seconds = time.monotonic() - started
        told = json.loads(done.stdout)
    return {"photos": told["learned"], "classes": len(names), "seconds": round(seconds, 1)}


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--own", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    own = read(options.own)
    train, validation = (read(options.photos / one, SEVEN) for one in ("train", "validation"))
    few = [drawn(train, 20, seed)[0] for seed in range(options.draws)]
    document = {
        "command": shlex.join(
            ["python", "benchmarks/learn.py", "--photos", "FOLDER", "--own", "FOLDER"]
        ),
        "version": __version__,
        "machine": Machine.current()._asdict(),
        "torch_installed": "torch" in sys.modules or _installed("torch"),
        "own": {
            str(each): over([judged(*drawn(own, each, seed)) for seed in range(options.draws)])
            for each in (5, 10, 20)
        },
        "seven_20_on_validation": over([judged(one, validation) for one in few]),
        "seven_all_on_validation": over([judged(train, validation)]),
        "seven_40_on_others": over([judged(*drawn(train, 40, seed)) for seed in range(5)]),
        "photos": dict(Counter(train.labels.tolist())),
        "time": [
            timed(options.photos / "train", SEVEN, 20),
            timed(options.photos / "train", SEVEN, None),
        ],
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(document, indent=1))


def _installed(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


if __name__ == "__main__":
    main()
