"""Fitted scikit-learn pipeline → ONNX graph, one small converter per kind of step.

KNN and SVM are built from matrix products, MatMul + TopK and Gemm + Exp: skl2onnx would turn
KNN into a `Scan`. Trees go through skl2onnx. The transformers are those of
`fmnist_cli.models.features`, and PCA.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from fmnist_cli.contract import INPUT_NAME
from fmnist_cli.export.graph import ML_OPSET, OPSET, GraphBuilder, canonical
from fmnist_cli.models.features import HogFeatures, PixelFeatures, TemperedPCA
from fmnist_cli.models.knn import HalfNeighbors
from fmnist_cli.models.svm import SHARPNESS, pair_signs

# Takes the graph, the fitted step and the name of its input [N, D]; returns its output's name.
Converter = Callable[[GraphBuilder, Any, str], str]


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


def _logistic_regression(graph: GraphBuilder, step: LogisticRegression, features: str) -> str:
    weights = graph.constant(step.coef_.T, "f4")
    logits = graph.add("Gemm", features, weights, graph.constant(step.intercept_, "f4"))
    return graph.add("Softmax", logits, axis=1)


def _squared_norm(graph: GraphBuilder, features: str) -> str:
    return graph.add("ReduceSumSquare", features, graph.constant([1], np.int64), keepdims=1)


def _normalized(graph: GraphBuilder, weights: str, classes: int) -> str:
    """Rows divided by their sums, which a product adds up.

    ReduceSum adds in an order that depends on where in memory a row begins, so on its place in
    the batch: rows of ten floats do not all begin at a multiple of a vector's 16 or 32 bytes.
    """
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1])
    ones = graph.add("ConstantOfShape", graph.constant([classes] * 2, np.int64), value=one)
    return graph.add("Div", weights, graph.add("MatMul", weights, ones))


_BLOCK = 256  # known points whose least distance is looked at first
_FAR = 3e38  # of points that only fill the last block


def _least(graph: GraphBuilder, values: str, count: int) -> tuple[str, str]:
    """The `count` least values of each row and where they are, both [N, count].

    The width of the rows is a multiple of `_BLOCK`. The least values lie in the `count` blocks
    that have the least minima, so only these are searched: minima are found many at a time,
    while TopK goes through a row one by one.
    """
    k = graph.constant([count], np.int64)
    last = graph.constant([2], np.int64)
    blocks = graph.add("Reshape", values, graph.constant([0, -1, _BLOCK], np.int64))
    minima = graph.add("ReduceMin", blocks, last, keepdims=0)  # [N, blocks]
    _, chosen = graph.add_many("TopK", minima, k, outputs=2, axis=1, largest=0)  # [N, count]
    where = graph.add("Unsqueeze", chosen, last)
    found = graph.add("GatherND", blocks, where, batch_dims=1)  # [N, count, block]
    flat = graph.add("Reshape", found, graph.constant([0, count * _BLOCK], np.int64))
    least, place = graph.add_many("TopK", flat, k, outputs=2, axis=1, largest=0)
    width = graph.constant(_BLOCK, np.int64)
    block = graph.add("GatherElements", chosen, graph.add("Div", place, width), axis=1)
    inside = graph.add("Mod", place, width)
    return least, graph.add("Add", graph.add("Mul", block, width), inside)


def _neighbors(graph: GraphBuilder, step: KNeighborsClassifier, features: str) -> str:
    """Squared distances by one product, the k least of them, votes by inverse distance."""
    points = step._fit_X.astype(np.float64)
    spare = max(-len(points) % _BLOCK, step.n_neighbors * _BLOCK - len(points))
    known = np.pad(points, ((0, spare), (0, 0)))
    squares = np.pad((points**2).sum(axis=1), (0, spare), constant_values=_FAR)
    norms = graph.constant(squares[None], "f4", "norms")
    if isinstance(step, HalfNeighbors):  # twice a float16 is one, too
        halves = graph.constant(-2 * known.T, "f2", "known")
        factors = graph.add("Cast", halves, to=TensorProto.FLOAT)
    else:
        factors = graph.constant(-2 * known.T, "f4", "known")
    # The norms are one more row of factors. As the bias of a Gemm they would be written to all of
    # its output first and read again, which takes as long as the product of so few components.
    rows = graph.add("Concat", factors, norms, axis=0)
    ends = graph.constant([0, 0, 0, 1], np.int64)
    augmented = graph.add("Pad", features, ends, graph.constant(1, "f4"))
    # |x|² is the same for every neighbour of x: added after the choice, to k values only.
    partial = graph.add("MatMul", augmented, rows)
    nearest, index = _least(graph, partial, step.n_neighbors)
    squared = graph.add("Add", nearest, _squared_norm(graph, features))
    distance = graph.add("Sqrt", graph.add("Max", squared, graph.constant(1e-12, "f4")))
    weight = graph.add("Reciprocal", distance)
    labels = graph.add("Gather", graph.constant(np.pad(step._y, (0, spare)), np.int64), index)
    depth = graph.constant(len(step.classes_), np.int64)
    votes = graph.add("OneHot", labels, depth, graph.constant([0, 1], "f4"))  # [N, k, classes]
    column = graph.add("Unsqueeze", weight, graph.constant([1], np.int64))  # [N, 1, k]
    total = graph.add("MatMul", column, votes)
    flat = graph.add("Squeeze", total, graph.constant([1], np.int64))
    return _normalized(graph, flat, len(step.classes_))


def _calibrated_svc(graph: GraphBuilder, step: CalibratedClassifierCV, features: str) -> str:
    """One-against-one RBF decisions, their soft votes, a softmax at one temperature.

    exp(-γ|x - s|²) is exp(2γ x·s - γ|s|² - γ|x|²), one product for all support vectors.
    Each support vector takes part only in its own class's nine decisions, so the second
    product goes class by class.
    """
    (calibrated,) = step.calibrated_classifiers_
    machine = calibrated.estimator
    classes = len(machine.classes_)
    gamma, vectors = machine._gamma, machine.support_vectors_.astype(np.float64)
    offset = graph.constant(-gamma * (vectors**2).sum(axis=1), "f4", "norms")
    scaled = graph.constant(2 * gamma * vectors.T, "f4", "support")
    exponent = graph.add("Gemm", features, scaled, offset)
    own = graph.add("Mul", _squared_norm(graph, features), graph.constant(-gamma, "f4"))
    kernel = graph.add("Exp", graph.add("Add", exponent, own))

    sizes = graph.constant(machine.n_support_, np.int64)
    blocks = graph.add_many("Split", kernel, sizes, outputs=classes, axis=1)
    ends = np.cumsum(machine.n_support_)
    parts = []
    for block, end, size in zip(blocks, ends, machine.n_support_, strict=True):
        weights = machine.dual_coef_[:, end - size : end].T  # [size, classes - 1]
        parts.append(graph.add("MatMul", block, graph.constant(weights, "f4")))
    sums = graph.add("Concat", *parts, axis=1)  # [N, classes · (classes - 1)]

    pairs = list(combinations(range(classes), 2))
    pick = np.zeros((classes * (classes - 1), len(pairs)))
    for k, (i, j) in enumerate(pairs):
        # libsvm keeps the coefficients of class i against j in row j - 1, of j against i in row i.
        pick[i * (classes - 1) + j - 1, k] = pick[j * (classes - 1) + i, k] = SHARPNESS
    offsets = graph.constant(SHARPNESS * machine.intercept_, "f4")
    votes = graph.add("Tanh", graph.add("Gemm", sums, graph.constant(pick, "f4"), offsets))
    (temperature,) = calibrated.calibrators
    weighted = temperature.beta_ * pair_signs(classes)
    return graph.add("Softmax", graph.add("MatMul", votes, graph.constant(weighted, "f4")), axis=1)


def _forest(graph: GraphBuilder, step: RandomForestClassifier, features: str) -> str:
    """One TreeEnsembleClassifier, made by skl2onnx; its label output stays unused."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    converted = convert_sklearn(
        step,
        initial_types=[("features", FloatTensorType([None, step.n_features_in_]))],
        options={"zipmap": False},
        target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
    )
    (trees,) = (n for n in converted.graph.node if n.op_type == "TreeEnsembleClassifier")
    values = {a.name: helper.get_attribute_value(a) for a in trees.attribute}
    # Without optional attributes that hold defaults, and without weights of zero: skl2onnx writes
    # all ten weights of every leaf, though most are zero.
    for name in ("nodes_hitrates", "nodes_missing_value_tracks_true"):
        values.pop(name, None)
    kept = np.flatnonzero(values["class_weights"])
    for name in ("class_ids", "class_nodeids", "class_treeids", "class_weights"):
        values[name] = np.asarray(values[name])[kept].tolist()
    return graph.add_many(trees.op_type, features, outputs=2, domain=trees.domain, **values)[1]


CONVERTERS: dict[type, Converter] = {
    PixelFeatures: pixel_features,
    HogFeatures: hog_features,
    PCA: pca,
    TemperedPCA: pca,
    LogisticRegression: _logistic_regression,
    KNeighborsClassifier: _neighbors,
    HalfNeighbors: _neighbors,
    CalibratedClassifierCV: _calibrated_svc,
    RandomForestClassifier: _forest,
}


def convert_sklearn_pipeline(pipeline: Any) -> onnx.ModelProto:
    """The pipeline from pixels to probabilities.

    Raises:
        KeyError: a step has no entry in `CONVERTERS`.
    """
    graph = GraphBuilder()
    value = INPUT_NAME
    for _, step in pipeline.steps:
        value = CONVERTERS[type(step)](graph, step, value)
    return canonical(graph.build(value, len(pipeline.classes_)))
