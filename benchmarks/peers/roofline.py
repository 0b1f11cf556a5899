"""The limit of the machine: what decoding and inference alone take, in one thread.

Run: python -m peers.roofline FOLDER MODEL MODE

Two passes over the pictures below FOLDER: all are read, decoded and prepared; then the model
runs on the prepared frames. Nothing is named, sorted, written or handed over, so no program
with these parts is faster than cores / (sum of both per image). On standard output: seconds
of each pass and the number of images.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from fmnist_cli.contract import Pixels
from fmnist_cli.errors import ImageError
from fmnist_cli.prepare import prepare, reduction
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.sources import open_sources
from fmnist_cli.runtime.sources.base import Item
from fmnist_cli.runtime.store import open_model

BATCH_SIZE = 64


def decoded(items: list[Item], mode: str) -> Pixels:
    """uint8 [N, 28, 28]: the frames of all pictures that can be read."""
    frames = np.empty((len(items), 28, 28), np.uint8)
    count, reduce = 0, reduction(mode)
    for item in items:
        try:
            content = item.read()
            if isinstance(content, bytes):
                content = decode(content, reduction=reduce)
            frames[count], _ = prepare(content, mode)
        except ImageError:
            continue
        count += 1
    return frames[:count]


def main() -> None:
    """Both passes, each after a first call."""
    folder, model, mode = sys.argv[1:]
    session = Session(open_model(model), threads=1)
    items = list(open_sources([Path(folder)]))
    session(decoded(items[:1], mode))
    started = time.perf_counter()
    frames = decoded(items, mode)
    between = time.perf_counter()
    for start in range(0, len(frames), BATCH_SIZE):
        session(frames[start : start + BATCH_SIZE])
    ended = time.perf_counter()
    print(
        json.dumps(
            {
                "images": len(items),
                "decode_seconds": between - started,
                "inference_seconds": ended - between,
            }
        )
    )


if __name__ == "__main__":
    main()
