"""Each network's graph against PyTorch, which trained it.

Both sides run in this process on the same images with the same number of threads, in turns,
and a ratio is taken within each round. Networks are read back from their graphs.

Run: GOMP_SPINCOUNT=2000 python benchmarks/native.py [--rounds 7]

OpenMP's threads wait by spinning. Without the variable PyTorch's hold up those of ONNX Runtime, and
are held up by them, a hundredfold.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness.rounds import Spread, interleave, ratio

from fmnist_cli import __version__
from fmnist_cli.bench.measure import split_batches, time_calls
from fmnist_cli.contract import Pixels
from fmnist_cli.data.dataset import load_split
from fmnist_cli.files import write_text
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import Machine, available_cores
from fmnist_cli.manifest import Manifest
from fmnist_cli.models.registry import get_spec
from fmnist_cli.training.restore import restore
from fmnist_cli.training.torch_fit import TorchModel

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "benchmarks" / "results" / "native.json"
BATCHES = (1, 256)
TIMED_IMAGES = 1024
TURN_S = 0.25
PAUSE_S = 0.02  # lets the threads of the turn before go to sleep

Infer = Callable[[Pixels], Any]


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


def networks() -> list[str]:
    """The shipped models of frames that PyTorch trained; these are read back from their graphs."""
    return [
        name
        for name in Manifest.read(ROOT / "exported").models
        if get_spec(name).framework == "torch"
    ]


def main() -> None:
    """Bring `TARGET` up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    threads = available_cores()
    torch.set_num_threads(threads)
    pixels = load_split("test", args.data_dir).pixels[:TIMED_IMAGES].copy()
    entries = Manifest.read(ROOT / "exported").models
    models: dict[str, Any] = {}
    for name in networks():
        file = open_model(name, ROOT / "exported")
        contenders: dict[str, Infer] = {
            "native": TorchModel(restore(file)).probabilities,
            "onnx": Session(file, threads=threads).probabilities,
        }
        models[name] = {
            "sha256": entries[name].sha256,
            "machine": Machine.current()._asdict(),
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
        "command": "GOMP_SPINCOUNT=2000 python benchmarks/native.py",
        "version": __version__,
        "models": models,
    }
    write_text(TARGET, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
