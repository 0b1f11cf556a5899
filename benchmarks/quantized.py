"""Whether an 8-bit `photo` is worth shipping: its speed, size and accuracy beside the file's own.

Run: python benchmarks/quantized.py --photos FOLDER [--model FILE]

QDQ form, weights per channel, activations calibrated on 100 photos of FOLDER/train; judged on
FOLDER/validation. Both run in one process with one thread, in turns. How fast 8 bits are depends on
the processor: the results name its instructions.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME, Pixels
from fmnist_cli.evaluate.metrics import is_right, macro, recalls
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import open_labelled, resolve
from fmnist_cli.machine import Machine

RESULTS = Path(__file__).resolve().parent / "results" / "quantized.json"
CALIBRATED_ON = 100
ROUNDS = 40
BATCH = 8


class Photos(CalibrationDataReader):
    """Some photos, one by one."""

    def __init__(self, pixels: Pixels) -> None:
        self._left: Iterator[Pixels] = iter(pixels)

    def get_next(self) -> dict[str, Pixels] | None:
        """The next one."""
        pixels = next(self._left, None)
        return None if pixels is None else {INPUT_NAME: pixels[None]}


def widened(content: bytes) -> onnx.ModelProto:
    """The graph with its weights in float32, as constants."""
    model = onnx.load_from_string(content)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [n for n in model.graph.node if n.op_type == "Cast" and n.input[0] in stored]:
        values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
        stored[node.input[0]].CopyFrom(numpy_helper.from_array(values, node.output[0]))
        model.graph.node.remove(node)
    return model


def quantized(content: bytes, pixels: Pixels, folder: Path) -> bytes:
    """The graph in 8 bits."""
    whole, simple, small = (folder / f"{name}.onnx" for name in ("whole", "simple", "small"))
    onnx.save(widened(content), whole)
    quant_pre_process(whole, simple, skip_symbolic_shape=True)
    quantize_static(
        simple,
        small,
        Photos(pixels),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QUInt8,
        op_types_to_quantize=["Conv", "Gemm", "Add"],
    )
    return small.read_bytes()


def of_folders(
    session: ort.InferenceSession, found: LabelledPictures, names: Any
) -> dict[str, Any]:
    """Accuracies, and the labels."""
    parts = [
        session.run([OUTPUT_NAME], {INPUT_NAME: found.pixels[start : start + BATCH]})[0]
        for start in range(0, len(found), BATCH)
    ]
    best = np.concatenate(parts).argmax(axis=1)
    allowed = found.truth(resolve(found.folders, names))[:, :-1]
    known = allowed.any(axis=1)
    right = is_right(best, allowed)[known]
    shares = recalls(right, found.members[known], found.folders)
    return {"accuracy": float(right.mean()), "macro_accuracy": macro(shares), "labels": best}


def flags() -> list[str]:
    """Instructions of the processor that matter here."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return []
    return sorted({word for word in text.split() if "vnni" in word or word in ("avx2", "avx512f")})


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", default="photo", help="name or file")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    file = open_model(options.model)
    card = Session(file).card
    spec, names = card.input, card.class_names
    train = LabelledPictures.read(open_labelled(options.photos / "train", None), spec)
    chosen = np.random.default_rng(0).permutation(len(train))[:CALIBRATED_ON]
    with tempfile.TemporaryDirectory() as folder:
        small = quantized(file.content, train.pixels[chosen], Path(folder))
    setting = ort.SessionOptions()
    setting.intra_op_num_threads = 1
    sessions = {
        "float32": ort.InferenceSession(file.content, setting),
        "int8": ort.InferenceSession(small, setting),
    }
    found = LabelledPictures.read(open_labelled(options.photos / "validation", None), spec)
    results = {name: of_folders(session, found, names) for name, session in sessions.items()}
    labels = [result.pop("labels") for result in results.values()]
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            started = time.perf_counter()
            session.run([OUTPUT_NAME], {INPUT_NAME: found.pixels[:BATCH]})
            times[name].append((time.perf_counter() - started) / BATCH)
    ratios = [a / b for a, b in zip(times["float32"], times["int8"], strict=True)]
    for name, result in results.items():
        result["ms"] = round(1000 * median(times[name]), 3)
        result["bytes"] = len(file.content if name == "float32" else small)
    document = {
        "format": 1,
        "command": "python benchmarks/quantized.py --photos FOLDER",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": Machine.current()._asdict() | {"flags": flags()},
        "versions": {name: version(name) for name in ("fmnist-cli", "onnxruntime")},
        "sha256": file.sha256,
        "photos": len(found),
        **results,
        "same_label": float((labels[0] == labels[1]).mean()),
        "times_faster": {"median": median(ratios), "low": min(ratios), "high": max(ratios)},
    }
    options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: document[key] for key in ("float32", "int8", "times_faster")}))


if __name__ == "__main__":
    main()
