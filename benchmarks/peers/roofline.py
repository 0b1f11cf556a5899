"""The limit of the machine: what decoding and inference alone take.

Run: python -m peers.roofline FOLDER MODEL MODE

Two passes over the pictures below FOLDER: all are read, decoded and prepared; then the model
runs on what was prepared. Nothing is named, sorted, written or handed over, so no program
with these parts is faster than cores / (sum of both per image). Measured twice: in one
process alone, and in a process for each core at the same time, as cores share caches and
memory and slow each other down. On standard output: core-seconds of each pass and the number
of images.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.decode import decode
from fmnist_cli.errors import ImageError
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import available_cores
from fmnist_cli.preprocess import needs_color, preprocess, reduction
from fmnist_cli.sources import open_sources
from fmnist_cli.sources.items import Item

BATCH_SIZE = 64


def decoded(items: list[Item], mode: str, spec: InputSpec) -> Pixels:
    """uint8 [N, *spec.shape]: what the model sees of all pictures that can be read."""
    frames = np.empty((len(items), *spec.shape), np.uint8)
    count, reduce, color = 0, reduction(spec, mode), needs_color(spec, mode)
    for item in items:
        try:
            content = item.read()
            if isinstance(content, bytes):
                content = decode(content, reduction=reduce, color=color)
            frames[count], _ = preprocess(content, spec, mode)
        except ImageError:
            continue
        count += 1
    return frames[:count]


def passes(items: list[Item], mode: str, session: Session) -> tuple[float, float]:
    """Seconds of decoding and of inference over some items, after a first call of both."""
    session(decoded(items[:1], mode, session.spec))
    started = time.perf_counter()
    frames = decoded(items, mode, session.spec)
    between = time.perf_counter()
    for start in range(0, len(frames), BATCH_SIZE):
        session(frames[start : start + BATCH_SIZE])
    return between - started, time.perf_counter() - between


def together(items: list[Item], mode: str, session: Session, cores: int) -> tuple[float, float]:
    """Core-seconds of both passes when every core has its share at the same time."""
    context = multiprocessing.get_context("fork")
    results: Any = context.SimpleQueue()
    barrier = context.Barrier(cores)

    def share(index: int) -> None:
        mine = items[index::cores]
        session(decoded(mine[:1], mode, session.spec))
        barrier.wait()
        results.put(passes(mine, mode, session))

    processes = [context.Process(target=share, args=(index,)) for index in range(cores)]
    for process in processes:
        process.start()
    times = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return sum(decode for decode, _ in times), sum(infer for _, infer in times)


def main() -> None:
    """Both passes, alone and together."""
    folder, model, mode = sys.argv[1:]
    session = Session(open_model(model), threads=1)
    items = list(open_sources([Path(folder)]))
    cores = available_cores()
    decode_alone, inference_alone = passes(items, mode, session)
    decode, inference = together(items, mode, session, cores)
    print(
        json.dumps(
            {
                "images": len(items),
                "decode_seconds": decode,
                "inference_seconds": inference,
                "decode_seconds_alone": decode_alone,
                "inference_seconds_alone": inference_alone,
            }
        )
    )


if __name__ == "__main__":
    main()
