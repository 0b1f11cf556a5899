"""The fitted network → `isolate.onnx` and its entry in the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper

from fmnist_cli.errors import VerificationError
from fmnist_cli.export.part import write_part
from fmnist_cli.export.torch_export import graph_of
from fmnist_cli.isolate.fit import SIDE
from fmnist_cli.isolate.network import IsolateNet
from fmnist_cli.manifest import Part
from fmnist_cli.runtime.isolate import INPUT, OUTPUT, PART

# |PyTorch − ONNX Runtime| of a probability, before and after weights are stored as float16.
_ATOL, _HALVED_ATOL = 1e-4, 1e-2
_LARGE = 256  # values that a constant has that is stored so


def convert(network: IsolateNet) -> bytes:
    """The graph: ``image`` uint8 [N, 128, 128, 3] → ``mask`` float32 [N, 64, 64].

    Raises:
        VerificationError: it does not compute what the network does.
    """
    graph = graph_of(network, (SIDE, SIDE, 3), INPUT, OUTPUT)
    _verify(network, graph.SerializeToString(), _ATOL)
    content = bytes(halved(graph).SerializeToString(deterministic=True))
    _verify(network, content, _HALVED_ATOL)
    return content


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


def _verify(network: IsolateNet, content: bytes, atol: float) -> None:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    for count in (1, 3):
        with torch.inference_mode():
            expected = network(torch.tensor(noise[:count])).numpy()
        (actual,) = session.run([OUTPUT], {INPUT: noise[:count]})
        difference = float(np.abs(expected - actual).max())
        if not difference <= atol:
            raise VerificationError(
                f"{PART}: the graph differs from the network by {difference:.1e};"
                " it was not written"
            )


def write(
    network: IsolateNet, out: Path, metrics: Mapping[str, Any], training: Mapping[str, Any]
) -> Part:
    """Write ``out/isolate.onnx`` and note it in the manifest there, if there is one.

    Raises:
        VerificationError: the graph does not compute what the network does.
    """
    title = "Where in a photo the garment is"
    return write_part(PART, title, convert(network), out, metrics, training)
