"""The fitted network → `isolate.onnx` and its entry in the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch

from fmnist_cli.errors import VerificationError
from fmnist_cli.export.graph import halved
from fmnist_cli.export.part import write_part
from fmnist_cli.export.torch_export import graph_of
from fmnist_cli.isolate.fit import SIDE
from fmnist_cli.isolate.network import IsolateNet
from fmnist_cli.manifest import Part
from fmnist_cli.runtime.isolate import INPUT, OUTPUT, PART

_ATOL = 1e-2  # |PyTorch − ONNX Runtime| of a probability; weights are stored as float16


def convert(network: IsolateNet) -> bytes:
    """The graph: ``image`` uint8 [N, 128, 128, 3] → ``mask`` float32 [N, 64, 64].

    Raises:
        VerificationError: it does not compute what the network does.
    """
    graph = halved(graph_of(network, (SIDE, SIDE, 3), INPUT, OUTPUT))
    content = bytes(graph.SerializeToString(deterministic=True))
    _verify(network, content)
    return content


def _verify(network: IsolateNet, content: bytes) -> None:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    noise = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    for count in (1, 3):
        with torch.inference_mode():
            expected = network(torch.tensor(noise[:count])).numpy()
        (actual,) = session.run([OUTPUT], {INPUT: noise[:count]})
        difference = float(np.abs(expected - actual).max())
        if not difference <= _ATOL:
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
