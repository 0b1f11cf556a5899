"""A calibration curve as the last nodes of a graph: put there, read back, taken away.

Where the graph ends in a softmax, the curve goes before it, for margins of logits are those of
log-probabilities; where it ends in votes, behind their logarithm.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fmnist_cli.calibration.curve import Curve
from fmnist_cli.contract import OUTPUT_NAME

_PREFIX = "curve_"  # no name in a canonical graph begins so


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
    top = _add(graph, "ReduceMax", [value, _axis(graph)], "top")  # keeps its axis
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


def _constant(graph: onnx.GraphProto, name: str, value: float) -> str:
    name = _PREFIX + name
    graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    return name


def _axis(graph: onnx.GraphProto) -> str:
    name = _PREFIX + "axis"
    graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), name))
    return name
