"""Building ONNX graphs by hand, and making any graph the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from fmnist_cli.contract import INPUT_NAME, NOVELTY_NAME, OUTPUT_NAME, ModelCard
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.inference.ood import GuardCard

Card = ModelCard | GuardCard  # what goes into a graph's metadata
OPSET = 20
ML_OPSET = 3
IR_VERSION = 10
_LARGE = 256  # numbers of a constant that is worth storing in 16 bits
_STANDARD_DOMAINS = {"", "ai.onnx.ml"}


class GraphBuilder:
    """Nodes and constants of one graph; values are referred to by name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, value: npt.ArrayLike, dtype: npt.DTypeLike, name: str = "c") -> str:
        """A constant tensor."""
        name = f"{name}_{len(self._constants)}"
        array = np.ascontiguousarray(value, dtype=dtype)
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, op: str, *inputs: str, outputs: int = 1, domain: str = "", **attrs: Any) -> str:
        """A node; returns the name of its first output."""
        return self.add_many(op, *inputs, outputs=outputs, domain=domain, **attrs)[0]

    def add_many(
        self, op: str, *inputs: str, outputs: int, domain: str = "", **attrs: Any
    ) -> list[str]:
        """A node; returns the names of all its outputs."""
        names = [f"{op}_{len(self._nodes)}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(op, inputs, names, domain=domain, **attrs))
        return names

    def include(
        self, model: onnx.ModelProto, prefix: str, inputs: Mapping[str, str]
    ) -> dict[str, str]:
        """All nodes and constants of another graph, their names behind a prefix.

        Args:
            model: whose graph has no nested graphs.
            prefix: that makes its names unique here.
            inputs: this graph's value for each of its inputs.

        Returns:
            This graph's name for each of its outputs.
        """
        names = {"": "", **inputs}
        for tensor in model.graph.initializer:
            copy = onnx.TensorProto()
            copy.CopyFrom(tensor)
            names[tensor.name] = copy.name = prefix + tensor.name
            self._constants.append(copy)
        for node in model.graph.node:
            renamed = onnx.NodeProto()
            renamed.CopyFrom(node)
            renamed.input[:] = [names[name] for name in node.input]
            names |= {name: prefix + name for name in node.output if name}
            renamed.output[:] = [names[name] for name in node.output]
            self._nodes.append(renamed)
        return {output.name: names[output.name] for output in model.graph.output}

    def build(self, value: str, classes: int | None) -> onnx.ModelProto:
        """The graph of frames whose output is a value: probabilities [N, classes].

        Without classes it is a novelty [N].
        """
        name, shape = OUTPUT_NAME, ["N", classes]
        if classes is None:
            name, shape = NOVELTY_NAME, ["N"]
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        pixels = helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", SIDE, SIDE])
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self._nodes, "fmnist", [pixels], [output], self._constants)
        return helper.make_model(
            graph,
            opset_imports=[
                helper.make_opsetid("", OPSET),
                helper.make_opsetid("ai.onnx.ml", ML_OPSET),
            ],
            ir_version=IR_VERSION,
        )


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph without anything that differs between two exports.

    Exporters number nodes by process-wide counters and note source paths; neither says
    anything about the function computed. Names of inputs and outputs stay.

    Raises:
        ValueError: the graph needs operators outside the standard domains.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if result.functions or any(n.domain not in _STANDARD_DOMAINS for n in result.graph.node):
        raise ValueError("the graph needs operators outside the standard ONNX domains")
    used = {node.domain for node in result.graph.node}
    needed = [opset for opset in result.opset_import if opset.domain in used]
    del result.opset_import[:]
    result.opset_import.extend(needed)
    result.producer_name, result.producer_version, result.doc_string = "fmnist", "", ""
    result.ClearField("metadata_props")
    graph = result.graph
    graph.name, graph.doc_string = "fmnist", ""
    for field in ("value_info", "metadata_props", "quantization_annotation"):
        graph.ClearField(field)
    names = {"": "", **{value.name: value.name for value in (*graph.input, *graph.output)}}
    for index, tensor in enumerate(graph.initializer):
        names[tensor.name] = f"w{index}"
        tensor.name, tensor.doc_string = names[tensor.name], ""
        tensor.ClearField("metadata_props")
    for index, node in enumerate(graph.node):
        node.name, node.doc_string = f"{node.op_type}_{index}", ""
        node.ClearField("metadata_props")
        node.input[:] = [names[name] for name in node.input]
        for position, name in enumerate(node.output):
            names.setdefault(name, f"v{index}_{position}" if name else "")
        node.output[:] = [names[name] for name in node.output]
    for info in (*graph.input, *graph.output):
        info.doc_string = ""
        info.ClearField("metadata_props")
    return result


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with its large constants stored as float16: half the file.

    They are cast back to float32 when a session is made, so nothing is computed in float16.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph, casts = result.graph, []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _LARGE:
            continue
        name, stored = tensor.name, f"{tensor.name}_half"
        casts.append(
            helper.make_node("Cast", [stored], [name], f"Cast_{stored}", to=TensorProto.FLOAT)
        )
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return result


def serialize(model: onnx.ModelProto, card: Card) -> bytes:
    """The model's bytes with its card in the metadata; equal input gives equal bytes."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    helper.set_model_props(result, card.to_metadata())
    onnx.checker.check_model(result, full_check=True)
    return bytes(result.SerializeToString(deterministic=True))


def count_parameters(model: onnx.ModelProto) -> int:
    """Learned numbers in the graph: float constants, and the thresholds and leaves of trees."""
    count = sum(
        int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16)
    )
    for node in model.graph.node:
        if node.op_type.startswith("TreeEnsemble"):
            values = {a.name: len(a.floats) for a in node.attribute}
            count += values.get("nodes_values", 0) + values.get("class_weights", 0)
    return count
