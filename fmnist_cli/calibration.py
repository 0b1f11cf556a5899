"""Calibrated confidence: a curve over margins, its fit, and its nodes in a graph.

One temperature scales all margins alike. Networks trained on softened labels, and votes, call for
more: they hardly tell the sure from the very sure, so a temperature that suits the middle is wrong
at the end. Here the log-odds against the most probable class are stretched piece by piece,

    p'ⱼ ∝ exp(-g(dⱼ)),   dⱼ = max log p - log pⱼ,   g(0) = 0, piecewise linear, increasing,

so no label changes; with slopes that are all 1/T it is the temperature T.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from fmnist_cli.contract import OUTPUT_NAME, Labels, Probabilities

RULE = "margin slopes 1"  # changes with anything below that changes a fitted curve
VOTE_FLOOR = 0.003  # of models that vote; validation loss is flat around it, for both of them
KNOTS = (0.0, 0.25, 0.5, 0.75)  # in typical margins of the second class
ONE_PIECE = (0.0,)  # a temperature
_LEAST_MARGIN = 0.01  # keeps knots apart where a model says the same of all classes
_DIGITS = 4  # kept of knots and slopes: fits on different machines give the same bytes
_PREFIX = "curve_"  # no name in a canonical graph begins so
_LEAST = 1e-30  # of what a softmax gives; below any that matters


class Curve(NamedTuple):
    """How margins are stretched.

    Attributes:
        knots: margins at which a new piece begins, in nats; the first is 0, they ascend.
        slopes: of the pieces, positive, one per knot.
        floor: probabilities below it count as it, for models that vote and may give 0; None for
            those that end in a softmax.
    """

    knots: tuple[float, ...]
    slopes: tuple[float, ...]
    floor: float | None = None

    def weights(self) -> tuple[float, ...]:
        """How much slopes change at each knot: g(d) = Σₖ weightₖ·max(d, knotₖ) and a constant."""
        changes = (b - a for a, b in pairwise(self.slopes))
        return (self.slopes[0], *(round(change, 6) for change in changes))

    def __call__(self, probabilities: Probabilities) -> Probabilities:
        """float32 [N, classes] → float32 [N, classes], rows summing to 1."""
        least = _LEAST if self.floor is None else self.floor
        logs = np.log(np.maximum(probabilities.astype(np.float64), least))
        below = logs - logs.max(axis=1, keepdims=True)
        terms = zip(self.knots, self.weights(), strict=True)
        stretched = sum(weight * np.minimum(below, -knot) for knot, weight in terms)
        exponent = np.exp(stretched - stretched.max(axis=1, keepdims=True))
        result: Probabilities = (exponent / exponent.sum(axis=1, keepdims=True)).astype(np.float32)
        return result


def fit_curve(
    probabilities: Probabilities,
    labels: Labels,
    floor: float | None = None,
    knots: Sequence[float] = KNOTS,
) -> Curve:
    """The curve of least cross-entropy on images that the model was not fitted on.

    Logarithms of slopes are a random walk of unit variance that begins at 0, a curve that changes
    nothing, as a prior: it matters to few images only, or pieces that no margin falls into.

    Args:
        probabilities: float32 [N, classes], N at least 1.
        labels: int64 [N].
        floor: see `Curve`.
        knots: where pieces begin, in typical margins of the second class; the first is 0.
    """
    from scipy.optimize import minimize  # not for those who only read a curve from a graph

    least = _LEAST if floor is None else floor
    logs = np.log(np.maximum(probabilities.astype(np.float64), least))
    margins = logs.max(axis=1, keepdims=True) - logs
    second = np.sort(margins, axis=1)[:, 1]
    unit = max(float(np.median(second)), _LEAST_MARGIN)
    begins = np.round(np.array(knots) * unit, _DIGITS)
    lengths = np.append(np.diff(begins), np.inf)
    pieces = np.stack(
        [np.clip(margins - knot, 0, length) for knot, length in zip(begins, lengths, strict=True)]
    )  # [pieces, N, classes]: how far into each piece a margin reaches
    count = len(labels)
    truth = np.eye(probabilities.shape[1])[labels]
    of_labels = pieces[:, np.arange(count), labels]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        slopes = np.exp(values)
        exponent = np.exp(-np.tensordot(slopes, pieces, 1))
        total = exponent.sum(axis=1)
        error = exponent / total[:, None] - truth
        steps = np.diff(values, prepend=0.0)
        value = (np.log(total) + slopes @ of_labels).mean() + steps @ steps / (2 * count)
        slope = -slopes * np.einsum("knc,nc->k", pieces, error) / count
        return float(value), slope + (steps - np.append(steps[1:], 0.0)) / count

    found = minimize(loss, np.zeros(len(begins)), jac=True, method="L-BFGS-B", tol=1e-12).x
    slopes = np.round(np.exp(found), _DIGITS).clip(10.0**-_DIGITS)
    return Curve(tuple(begins.tolist()), tuple(slopes.tolist()), floor)


def ends_in_softmax(model: onnx.ModelProto) -> bool:
    """Whether probabilities come from a softmax and not from votes, which may be 0."""
    last, _ = _last(model.graph)
    return last.op_type == "Softmax"


def with_curve(model: onnx.ModelProto, curve: Curve) -> onnx.ModelProto:
    """The graph with this curve at its end, instead of any that was there.

    Args:
        model: under the contract, opset 18 or later.
        curve: with a floor where the graph does not end in a softmax, and only there.
    """
    result, _ = without_curve(model)
    graph = result.graph
    last, between = _last(graph)
    for node in between:
        graph.node.remove(node)
    if last.op_type == "Softmax":
        value = last.input[0]
        graph.node.remove(last)
    else:
        votes = between[-1].input[0] if between else _PREFIX + "votes"
        last.output[:] = [votes if name == OUTPUT_NAME else name for name in last.output]
        floor = _constant(graph, "floor", curve.floor or 0)
        floored = _add(graph, "Max", [votes, floor], "floored")
        value = _add(graph, "Log", [floored], "logs")
    axis = _constant(graph, "axis", [1], np.int64)
    top = _add(graph, "ReduceMax", [value, axis], "top")  # keeps its axis
    below = _add(graph, "Sub", [value, top], "below")
    terms = []
    for k, (knot, weight) in enumerate(zip(curve.knots, curve.weights(), strict=True)):
        part = below
        if k:  # the first begins at 0, and nothing lies above it
            part = _add(graph, "Min", [below, _constant(graph, f"knot{k}", -knot)], f"part{k}")
        terms.append(_add(graph, "Mul", [part, _constant(graph, f"weight{k}", weight)], f"term{k}"))
    total = _add(graph, "Sum", terms, "total")
    graph.node.append(helper.make_node("Softmax", [total], [OUTPUT_NAME], axis=-1))
    return result


def without_curve(model: onnx.ModelProto) -> tuple[onnx.ModelProto, Curve | None]:
    """The graph as it was before `with_curve`, and the curve; None if it has none."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    found = _find(graph)
    if found is None:
        return result, None
    nodes, value, curve = found
    for node in nodes:
        graph.node.remove(node)
    before = helper.make_node("Identity", [value], [OUTPUT_NAME])
    if curve.floor is None:
        before = helper.make_node("Softmax", [value], [OUTPUT_NAME], axis=-1)
    graph.node.append(before)
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return result, curve


def _find(graph: onnx.GraphProto) -> tuple[list[onnx.NodeProto], str, Curve] | None:
    """Nodes of a curve, the value that it stretches, and the curve."""
    makers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}

    def number(name: str) -> float:
        # Float32 in the graph; six digits bring back what was rounded to four.
        return round(float(numpy_helper.to_array(constants[name])), 6)

    def maker(name: str, operation: str) -> onnx.NodeProto:
        node: onnx.NodeProto = makers[name]
        if node.op_type != operation:
            raise LookupError(operation)
        return node

    try:
        softmax = maker(OUTPUT_NAME, "Softmax")
        total = maker(softmax.input[0], "Sum")
        terms = [maker(name, "Mul") for name in total.input]
        below = maker(terms[0].input[0], "Sub")
        top = maker(below.input[1], "ReduceMax")
        if top.input[0] != below.input[0]:
            return None
        parts = [maker(term.input[0], "Min") for term in terms[1:]]
        weights = [number(term.input[1]) for term in terms]
        knots = (0.0, *(-number(part.input[1]) for part in parts))
        nodes = [softmax, total, *terms, below, top, *parts]
        value, floor = below.input[0], None
        if makers[value].op_type == "Log":
            log = makers[value]
            floored = maker(log.input[0], "Max")
            nodes += [log, floored]
            value, floor = floored.input[0], number(floored.input[1])
    except LookupError:
        return None
    slopes = tuple(round(float(slope), 4) for slope in np.cumsum(weights))
    return nodes, value, Curve(knots, slopes, floor)


def _last(graph: onnx.GraphProto) -> tuple[onnx.NodeProto, list[onnx.NodeProto]]:
    """The node that makes the probabilities, and those behind it that only pass them on."""
    makers = {name: node for node in graph.node for name in node.output}
    between: list[onnx.NodeProto] = []
    node = makers[OUTPUT_NAME]
    while node.op_type == "Identity":
        between.append(node)
        node = makers[node.input[0]]
    return node, between


def _add(graph: onnx.GraphProto, operation: str, inputs: list[str], name: str) -> str:
    name = _PREFIX + name
    graph.node.append(helper.make_node(operation, inputs, [name]))
    return name


def _constant(
    graph: onnx.GraphProto, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike = np.float32
) -> str:
    name = _PREFIX + name
    graph.initializer.append(numpy_helper.from_array(np.array(value, dtype), name))
    return name
