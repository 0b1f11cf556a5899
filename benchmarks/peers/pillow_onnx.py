"""The simple script: Pillow, then ONNX Runtime, in one thread.

Run: python -m peers.pillow_onnx FOLDER MODEL.onnx OUTPUT [--limit N]

It labels every picture below FOLDER and writes one line of JSON for each. On standard
output: images, and seconds from the first file to the last line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from PIL import Image, ImageOps

from fmnist_cli.data.fashion_mnist import CLASS_NAMES

BATCH_SIZE = 64
WARM_UP = 4  # pictures
SUFFIXES = {".png", ".jpg", ".jpeg"}


def read(path: Path, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """The picture as uint8 [H, W], or [H, W, 3] with its aspect kept on grey."""
    size = (shape[1], shape[0])
    with Image.open(path) as image:
        if len(shape) == 2:
            return np.asarray(image.convert("L").resize(size, Image.Resampling.BILINEAR))
        whole = image.convert("RGB")
        return np.asarray(ImageOps.pad(whole, size, Image.Resampling.BILINEAR, (127, 127, 127)))


def batches(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """`paths` in lists of `BATCH_SIZE`."""
    for start in range(0, len(paths), BATCH_SIZE):
        yield paths[start : start + BATCH_SIZE]


def label(session: ort.InferenceSession, root: Path, output: Path, limit: int | None = None) -> int:
    """Write one line per picture; returns how many."""
    shape = session.get_inputs()[0].shape[1:]
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)[:limit]
    with output.open("w", encoding="utf-8") as stream:
        for batch in batches(paths):
            pixels = np.stack([read(path, shape) for path in batch])
            (probabilities,) = session.run(["probabilities"], {"pixels": pixels})
            for path, values in zip(batch, probabilities, strict=True):
                index = int(values.argmax())
                row = {
                    "path": path.relative_to(root).as_posix(),
                    "label": CLASS_NAMES[index],
                    "confidence": float(values[index]),
                }
                stream.write(json.dumps(row) + "\n")
    return len(paths)


def main() -> None:
    """Label a few pictures to load whatever is loaded at first use, then all of them, timed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.inter_op_num_threads = 1
    session = ort.InferenceSession(options.model, settings, providers=["CPUExecutionProvider"])
    begun = time.perf_counter()
    label(session, options.folder, options.output, limit=WARM_UP)
    started = time.perf_counter()
    images = label(session, options.folder, options.output, options.limit)
    times = {"warm_up": started - begun, "seconds": time.perf_counter() - started}
    print(json.dumps({"images": images, **times}))


if __name__ == "__main__":
    main()
