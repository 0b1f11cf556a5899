"""PyTorch network → ONNX graph."""

from __future__ import annotations

import onnx
import torch

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME, SIDE
from fmnist_cli.export.graph import OPSET, canonical
from fmnist_cli.models.network import PixelClassifier


def convert_torch(network: PixelClassifier) -> onnx.ModelProto:
    """The network from pixels to probabilities, batch size free.

    Traced at two images: an exporter that sees one may freeze the batch at one.
    """
    example = torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)
    program = torch.onnx.export(
        network.eval(),
        (example,),
        dynamo=True,
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_shapes={INPUT_NAME: {0: "N"}},
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None  # noqa: S101  (None only when asked to write a file)
    return canonical(program.model_proto)
