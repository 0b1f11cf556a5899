"""PyTorch networks → ONNX."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import torch
from torch import Tensor, nn

from fmnist_cli.contract import EMBEDDING_NAME, INPUT_NAME, NOVELTY_NAME, OUTPUT_NAME
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.export.graph import OPSET, canonical
from fmnist_cli.models.network import PictureClassifier, PixelClassifier


def convert_torch(network: PixelClassifier) -> onnx.ModelProto:
    """The network from pixels to probabilities, batch size free."""
    return graph_of(network, (SIDE, SIDE), INPUT_NAME, [OUTPUT_NAME])


def convert_pictures(network: PictureClassifier) -> onnx.ModelProto:
    """The network from pixels to probabilities, novelty and embedding, batch size free."""
    outputs = [OUTPUT_NAME, NOVELTY_NAME, EMBEDDING_NAME]
    return graph_of(_Outputs(network), network.shape, INPUT_NAME, outputs)


class _Outputs(nn.Module):
    """All that a network for pictures says, as its graph gives it."""

    def __init__(self, classifier: PictureClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.classifier.outputs(pixels)


def graph_of(
    network: nn.Module, shape: tuple[int, ...], given: str, results: Sequence[str]
) -> onnx.ModelProto:
    """Any network of one input; the same network gives the same graph.

    Traced at two examples: an exporter that sees one may freeze the batch at one.

    Args:
        network: uint8 [N, *shape] → float32 [N, …], one or several.
        shape: of one example.
        given: name of the input.
        results: names of the outputs.
    """
    program = torch.onnx.export(
        network.eval(),
        (torch.zeros(2, *shape, dtype=torch.uint8),),
        dynamo=True,
        input_names=[given],
        output_names=list(results),
        dynamic_shapes={"pixels": {0: "N"}},
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None  # noqa: S101  (None only when asked to write a file)
    return canonical(program.model_proto, kept=(given, *results))
