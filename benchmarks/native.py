"""Each exported graph against the framework that it came from, and against raw pixels.

Both sides run in this process on the same images with the same number of threads, in turns,
and a ratio is taken within each round. `knn` and `svm` are compared with scikit-learn's own
classifiers on the 784 raw pixels, too, which is what the usual script runs.

Networks are read back from their graphs, other models from their run folders; what was measured of
a file that has no run folder here any more stays as it was.

Run: python benchmarks/native.py [--runs-dir runs] [--rounds 7] [MODEL…]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness.rounds import Spread, interleave, ratio
from sklearn.neighbors import KNeighborsClassifier

from fmnist_cli import __version__
from fmnist_cli.bench.latency import split_batches, time_calls
from fmnist_cli.contract import Pixels
from fmnist_cli.cores import available_cores
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.errors import ModelError
from fmnist_cli.files import write_text
from fmnist_cli.machine import Machine
from fmnist_cli.manifest import Manifest
from fmnist_cli.models.registry import get_spec
from fmnist_cli.models.svm import SoftVoteSVC
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import open_model
from fmnist_cli.training.frameworks import load_native
from fmnist_cli.training.native import NativeModel, TorchModel
from fmnist_cli.training.restore import restore

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "benchmarks" / "results" / "native.json"
BATCHES = (1, 256)
TIMED_IMAGES = 1024
TURN_S = 0.25
PAUSE_S = 0.02  # lets the threads of the turn before go to sleep

Infer = Callable[[Pixels], Any]


def flat(pixels: Pixels) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32 [N, 784], 0 to 1: what the usual script feeds scikit-learn."""
    return pixels.reshape(len(pixels), -1).astype(np.float32) / 255


def raw_classifiers(train: LabelledImages) -> dict[str, Infer]:
    """scikit-learn's KNN and SVM on raw pixels, by the name of our model."""
    features = flat(train.pixels)
    knn = KNeighborsClassifier(8, weights="distance", algorithm="brute").fit(features, train.labels)
    svm = SoftVoteSVC(C=5, gamma="scale").fit(features, train.labels)
    return {
        "knn": lambda pixels: knn.predict(flat(pixels)),
        "svm": lambda pixels: svm.predict(flat(pixels)),
    }


def turn(infer: Infer, pixels: Pixels, batch: int) -> float:
    """Median seconds of a call on `batch` images."""
    time.sleep(PAUSE_S)
    batches = split_batches(pixels, batch)
    time_calls(infer, batches, min_s=TURN_S / 10, min_calls=1)
    return float(np.median(time_calls(infer, batches, min_s=TURN_S, min_calls=2)))


def compare(
    contenders: dict[str, Infer], pixels: Pixels, batch: int, rounds: int
) -> dict[str, Any]:
    """Microseconds per image of each, and how many times faster "onnx" is than each other."""
    turns = {
        name: lambda infer=infer: turn(infer, pixels, batch) for name, infer in contenders.items()
    }
    seconds = interleave(turns, rounds, lambda _line: None)
    result: dict[str, Any] = {}
    for name, values in seconds.items():
        result[f"{name}_us"] = Spread.of([1e6 * s / batch for s in values]).to_json()
        if name != "onnx":
            result[f"times_{name}"] = ratio(values, seconds["onnx"]).to_json()
    return result


def native_of(name: str, runs_dir: Path) -> NativeModel:
    """The model of an exported graph in its framework."""
    if get_spec(name).framework == "torch":
        return TorchModel(restore(open_model(name, ROOT / "exported")))
    return load_native(get_spec(name), runs_dir / name)


def main() -> None:
    """Bring `TARGET` up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="all by default")
    args = parser.parse_args()
    threads = available_cores()
    torch.set_num_threads(threads)
    pixels = load_split("test", args.data_dir).pixels[:TIMED_IMAGES].copy()
    raw = raw_classifiers(load_split("train", args.data_dir))
    entries = Manifest.read(ROOT / "exported").models
    old = json.loads(TARGET.read_text(encoding="utf-8"))["models"] if TARGET.exists() else {}
    models: dict[str, Any] = {name: old[name] for name in entries if name in old}
    for name in args.models or entries:
        try:
            native = native_of(name, args.runs_dir)
        except ModelError as error:
            print(f"{name}: not measured: {error}", file=sys.stderr)
            continue
        session = Session(open_model(name, ROOT / "exported"), threads=threads)
        contenders: dict[str, Infer] = {
            "native": native.probabilities,
            "onnx": session.probabilities,
        }
        if name in raw:
            contenders["raw_pixels"] = raw[name]
        models[name] = {
            "sha256": entries[name].sha256,
            "machine": asdict(Machine.current()),
            "threads": threads,
            "rounds": args.rounds,
            "batches": {},
        }
        for batch in BATCHES:
            found = compare(contenders, pixels, batch, args.rounds)
            models[name]["batches"][batch] = found
            line = [f"{name:<14} batch {batch:<4} onnx {found['onnx_us']['median']:8.1f} us/image"]
            line += [
                f"{key[6:]} {found[key]['median']:.2f}x"
                f" ({found[key]['min']:.2f}-{found[key]['max']:.2f})"
                for key in found
                if key.startswith("times_")
            ]
            print("  ".join(line), file=sys.stderr, flush=True)
    document = {
        "command": "python benchmarks/native.py",
        "version": __version__,
        "models": {name: models[name] for name in entries if name in models},
    }
    write_text(TARGET, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
