"""Graph nodes of the transformers in `fmnist_cli.models.features`, and of PCA."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from sklearn.decomposition import PCA

from fmnist_cli.export.graph import GraphBuilder
from fmnist_cli.models.features import HogFeatures, PixelFeatures, TemperedPCA


def pixel_features(graph: GraphBuilder, step: PixelFeatures, pixels: str) -> str:
    """uint8 [N, 28, 28] → float32 [N, 784]."""
    values = graph.add("Cast", pixels, to=TensorProto.FLOAT)
    flat = graph.add("Reshape", values, graph.constant([0, -1], np.int64))
    return flat if step.scale == 1 else graph.add("Mul", flat, graph.constant(step.scale, "f4"))


def hog_features(graph: GraphBuilder, step: HogFeatures, pixels: str) -> str:
    """uint8 [N, 28, 28] → float32 [N, D]: `Hog.forward`, line by line."""
    network = step.network()
    channel = graph.constant([1], np.int64)
    values = graph.add("Cast", pixels, to=TensorProto.FLOAT)
    roots = graph.add("Sqrt", graph.add("Div", values, graph.constant(255, "f4")))
    images = graph.add("Unsqueeze", roots, channel)  # [N, 1, 28, 28]
    border = graph.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    padded = graph.add("Pad", images, border, mode="edge")
    gradient = graph.add("Conv", padded, graph.constant(network.derivatives, "f4"))
    # A 1×1 convolution adds up channels several times faster than ReduceSum does.
    sides = graph.constant(np.ones((1, 2, 1, 1)), "f4")
    length = graph.add("Sqrt", graph.add("Conv", graph.add("Mul", gradient, gradient), sides))
    both = graph.add("Concat", gradient, length, axis=1)
    votes = graph.add("Relu", graph.add("Conv", both, graph.constant(network.directions, "f4")))
    cells = graph.add(
        "Conv",
        votes,
        graph.constant(network.spread, "f4"),
        strides=[network.cell] * 2,
        pads=[network.cell // 2] * 4,
        group=len(network.spread),
    )
    total = graph.add("ReduceSum", cells, channel, keepdims=1)
    shares = graph.add("Div", cells, graph.add("Add", total, graph.constant(network.floor, "f4")))
    return graph.add("Reshape", graph.add("Sqrt", shares), graph.constant([0, -1], np.int64))


def pca(graph: GraphBuilder, step: PCA, features: str) -> str:
    """Projection of the centred features: x·W - mean·W."""
    weights = step.components_.T.astype(np.float64)
    if isinstance(step, TemperedPCA):
        weights = weights * step.scales()
    offset = -(step.mean_.astype(np.float64) @ weights)
    return graph.add("Gemm", features, graph.constant(weights, "f4"), graph.constant(offset, "f4"))
