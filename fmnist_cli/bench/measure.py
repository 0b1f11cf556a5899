"""What is measured of one model within this process: accuracy, multiply-adds, time of calls.

Nothing that times calls knows ONNX Runtime or real time: `infer` and `clock` are handed in.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import onnxruntime as ort

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME, InputSpec, Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, of_data_set
from fmnist_cli.evaluate.metrics import evaluate, of_first
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session
from fmnist_cli.preprocess import from_frames

TIMED_IMAGES = 1024
_TIMED_BYTES = 16 * 2**20  # of large images fewer are held

Infer = Callable[[Pixels], Probabilities]
Clock = Callable[[], float]  # seconds, never going back
Shape = Sequence[int]


class Quality(TypedDict):
    """How good a model is on the test split; all shares from 0 to 1.

    `calibration_error` is the expected one over 15 bins (Guo et al. 2017), `shirt_f1` that of the
    hardest class, `f1` that of each class by its name.
    """

    images: int
    accuracy: float
    macro_f1: float
    shirt_f1: float
    calibration_error: float
    f1: dict[str, float]


def measure_quality(session: Session, images: LabelledImages) -> Quality | None:
    """Measured through ONNX Runtime; None for a model that is not `of_data_set`.

    A model of further classes is asked which of Fashion-MNIST's it is.
    """
    if not of_data_set(session.card):
        return None
    probabilities = of_first(session.probabilities(images.pixels), len(CLASS_NAMES))
    found = evaluate(probabilities, images.labels, CLASS_NAMES)
    f1 = {report.label: report.f1 for report in found.per_class}
    return {
        "images": found.images,
        "accuracy": found.accuracy,
        "macro_f1": found.macro.f1,
        "shirt_f1": f1["Shirt"],
        "calibration_error": found.calibration_error,
        "f1": f1,
    }


def random_pixels(shape: Shape, images: int, seed: int = 0) -> Pixels:
    """Noise, uint8 [images, *shape]: good enough for timing, the same every time."""
    return np.random.default_rng(seed).integers(0, 256, (images, *shape), dtype=np.uint8)


def timed_pixels(spec: InputSpec, frames: Pixels | None) -> Pixels:
    """What timed calls are made of: at most `TIMED_IMAGES` images, uint8 [N, *spec.shape].

    Args:
        spec: what the model wants.
        frames: uint8 [N, 28, 28], of the data set; None for noise.
    """
    count = max(1, min(TIMED_IMAGES, _TIMED_BYTES // math.prod(spec.shape)))
    if frames is None:
        return random_pixels(spec.shape, count)
    return from_frames(frames[:count], spec)


class Latency(TypedDict):
    """How long a single image takes: percentiles in milliseconds, and the calls behind them."""

    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def split_batches(pixels: Pixels, batch_size: int) -> list[Pixels]:
    """Every full batch of uint8 [N, …], `batch_size` long; too few images are repeated."""
    if len(pixels) < batch_size:
        pixels = np.take(pixels, range(batch_size), axis=0, mode="wrap")
    stops = range(batch_size, len(pixels) + 1, batch_size)
    return [pixels[stop - batch_size : stop] for stop in stops]


def time_calls(
    infer: Infer,
    batches: Sequence[Pixels],
    *,
    min_s: float,
    min_calls: int,
    clock: Clock = time.perf_counter,
) -> list[float]:
    """Seconds of each call, one after the other, the batches taken in turn.

    Calls go on until `min_s` seconds have passed and `min_calls` calls were made.
    """
    durations_s: list[float] = []
    started = clock()
    for batch in cycle(batches):
        before = clock()
        infer(batch)
        after = clock()
        durations_s.append(after - before)
        if after - started >= min_s and len(durations_s) >= min_calls:
            break
    return durations_s


def latency_of(durations_s: Sequence[float]) -> Latency:
    """The percentiles (nearest rank) of single-image calls that took these seconds."""
    found = 1000 * np.percentile(durations_s, (50, 95, 99), method="inverted_cdf")
    p50_ms, p95_ms, p99_ms = found.tolist()
    return {"calls": len(durations_s), "p50_ms": p50_ms, "p95_ms": p95_ms, "p99_ms": p99_ms}


def images_per_s_of(durations_s: Sequence[float], batch_size: int) -> float:
    """Throughput of calls with `batch_size` images each that took these seconds."""
    return batch_size * len(durations_s) / sum(durations_s)


def count_macs(file: ModelFile) -> int:
    """Multiply-adds of the convolutions and matrix products for one image.

    Comparisons of trees, activations, normalisations and sums are not among them, as usual. ONNX
    Runtime's profile names the shapes of all that a node reads and writes, so the shapes are those
    of a real call and no package that reads graphs is needed.

    Args:
        file: a graph that a `Session` accepted.
    """
    options = ort.SessionOptions()
    options.enable_profiling = True
    # As written: fused nodes have other names, and packed weights no shape.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(file.content, options, providers=["CPUExecutionProvider"])
        shape = session.get_inputs()[0].shape[1:]
        session.run([OUTPUT_NAME], {INPUT_NAME: np.zeros((1, *shape), np.uint8)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return sum(_macs_of_node(event["args"]) for event in events if event.get("cat") == "Node")


def _macs_of_node(node: Mapping[str, Any]) -> int:
    if not node.get("output_type_shape"):
        return 0
    # A shape stands as {"float": [1, 10]}.
    inputs = [next(iter(tensor.values())) for tensor in node["input_type_shape"]]
    output = next(iter(node["output_type_shape"][0].values()))
    return macs_of(node["op_name"], inputs, output)


def macs_of(operation: str, inputs: Sequence[Shape], output: Shape) -> int:
    """Multiply-adds of one node; 0 for operations that are no product.

    Args:
        operation: name in the ONNX standard.
        inputs: shapes, in the order of the standard.
        output: shape of the first output.
    """
    if operation in ("QLinearConv", "QLinearMatMul"):  # values, then their scale and zero point
        inputs = [inputs[0], inputs[3]]
    if operation in ("Conv", "ConvInteger", "QLinearConv"):
        # Weights are [out, in / groups, …]: one product each per output value.
        return math.prod(output) * math.prod(inputs[1][1:])
    if operation == "Gemm":  # [M, K] or, transposed, [K, M]
        return math.prod(inputs[0]) * output[-1]
    if operation in ("MatMul", "MatMulInteger", "QLinearMatMul"):
        return math.prod(output) * inputs[0][-1]
    return 0
