"""How fast photos are prepared and labelled: `fmnist classify` against GrabCut in its place.

Run: python benchmarks/isolate.py --photos FOLDER

Rounds in turns. Ours is the whole command on all photos, its start and its output included; GrabCut
labels some of them (it is slow), without the start of the process. Ratios are taken within a
round. The network alone and GrabCut alone are timed on one core, besides.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness.rounds import Run, Spread, interleave, ratio, run

from fmnist_cli.isolate.grabcut import grabcut
from fmnist_cli.machine import Machine
from fmnist_cli.prepare import needs_color, reduction
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.isolate import open_isolator
from fmnist_cli.runtime.sources import open_source
from fmnist_cli.runtime.store import find_part

RESULTS = Path(__file__).resolve().parent / "results" / "isolate.json"
PACKAGES = ("fmnist-cli", "numpy", "onnxruntime", "opencv-python-headless")
MODELS = ("cnn", "resnet")
REFERENCE = 120  # photos that GrabCut labels in a round


def milliseconds(call: Callable[[Any], object], values: list[Any], rounds: int) -> Spread:
    """Per call, on one core: the median of the rounds' means."""
    call(values[0])
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        for value in values:
            call(value)
        taken.append(1e3 * (time.perf_counter() - started) / len(values))
    return Spread.of(taken)


def alone(folder: Path, rounds: int) -> dict[str, Any]:
    """The network and GrabCut on some photos, decoded and stretched before, one core."""
    cv2.setNumThreads(1)
    contents = [item.read() for item in open_source(folder)][::40]
    pictures = [
        decode(content, reduction=reduction("photo"), color=needs_color("photo"))
        for content in contents
        if isinstance(content, bytes)
    ]
    colors = [picture.color for picture in pictures if picture.color is not None]
    squares = [cv2.resize(c, (128, 128), interpolation=cv2.INTER_AREA) for c in colors]
    isolate = open_isolator("photo")
    if isolate is None:
        raise SystemExit("there is no isolate.onnx to measure")
    return {
        "network_ms": milliseconds(isolate, [np.asarray(s, np.uint8) for s in squares], rounds),
        "grabcut_ms": milliseconds(grabcut, colors[:20], 2),
    }


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """The whole document."""
    images = sum(1 for _ in open_source(folder))
    part = find_part("isolate")
    if part is None:
        raise SystemExit("there is no isolate.onnx to measure")
    document: dict[str, Any] = {
        "format": 1,
        "command": "python benchmarks/isolate.py --photos FOLDER",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(Machine.current()),
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "isolate": {"sha256": part.sha256, "bytes": part.bytes},
        "photos": images,
        "rounds": rounds,
        "one_core": {name: one.to_json() for name, one in alone(folder, rounds).items()},
        "models": {},
    }
    with tempfile.TemporaryDirectory() as work:
        for model in MODELS:
            options = ["-m", model, "--prepare", "photo", "-q", "-o", Path(work) / "rows.jsonl"]
            limit = ["--limit", str(REFERENCE)]
            contenders: dict[str, Callable[[], Run]] = {
                "ours": partial(
                    run, [sys.executable, "-m", "fmnist_cli", "classify", folder, *options]
                ),
                "grabcut": partial(
                    run,
                    [sys.executable, *("-m", "peers.grabcut", folder, model), *limit],
                ),
            }
            runs = interleave(contenders, rounds)
            ours = [images / one.wall_s for one in runs["ours"]]
            reference = [one.report["images_per_s"] for one in runs["grabcut"]]
            document["models"][model] = {
                "images_per_s": Spread.of(ours).to_json(),
                "grabcut_images_per_s": Spread.of(reference).to_json(),
                "times": ratio(ours, reference).to_json(),
            }
    return document


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    document = measure(options.photos.resolve(), options.rounds)
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for model, figures in document["models"].items():
        rate, times = figures["images_per_s"]["median"], figures["times"]["median"]
        print(f"{model}: {rate:.0f} photos/s, {times:.1f} times GrabCut")


if __name__ == "__main__":
    main()
