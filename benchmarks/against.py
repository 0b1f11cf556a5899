"""Two model files in one process, in turns: how long each takes per image, and the ratio.

Run: python benchmarks/against.py OLD.onnx NEW.onnx [--batch 64] [--threads 2] [--out FILE]

Both see the same images, preprocessed as each wants them. Ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from harness.rounds import Spread, ratio

from fmnist_cli.data.dataset import load_split
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import Machine
from fmnist_cli.preprocess import from_frames

ROUNDS = 60
WARM_UP = 5


def main() -> None:
    """Measure, and write or print the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs=2, metavar="MODEL")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    files = [open_model(model) for model in options.models]
    sessions = [Session(file, threads=options.threads) for file in files]
    frames = load_split("test").pixels[: options.batch]
    pixels = [from_frames(frames, session.spec) for session in sessions]
    seconds: list[list[float]] = [[], []]
    for number in range(ROUNDS + WARM_UP):
        for place, (session, batch) in enumerate(zip(sessions, pixels, strict=True)):
            started = time.perf_counter()
            session(batch)
            if number >= WARM_UP:
                seconds[place].append(time.perf_counter() - started)
    document = {
        "format": 1,
        "command": "python benchmarks/against.py OLD.onnx NEW.onnx",
        "machine": Machine.current()._asdict(),
        "batch": options.batch,
        "threads": options.threads,
        "rounds": ROUNDS,
        "sha256": [file.sha256 for file in files],
        "us_per_image": [
            Spread.of([1e6 * one / options.batch for one in taken]).to_json() for taken in seconds
        ],
        "new_of_old": ratio(seconds[1], seconds[0]).to_json(),
    }
    text = json.dumps(document, indent=2) + "\n"
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
