"""Fitted models → ONNX graphs: networks, stacks and, next door, scikit-learn pipelines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from fmnist_cli.contract import EMBEDDING_NAME, INPUT_NAME, NOVELTY_NAME, OUTPUT_NAME
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.export.graph import OPSET, GraphBuilder, canonical
from fmnist_cli.export.sklearn_export import convert_sklearn_pipeline
from fmnist_cli.models.network import PictureClassifier, PixelClassifier
from fmnist_cli.training.picture_fit import PicturesModel
from fmnist_cli.training.record import NativeModel
from fmnist_cli.training.sklearn_fit import SklearnModel
from fmnist_cli.training.stack_fit import LEAST, ExportedModel, Pool, StackModel
from fmnist_cli.training.torch_fit import TorchModel


def convert(native: NativeModel) -> onnx.ModelProto:
    """The graph of a native model; the one place that chooses an exporter."""
    match native:
        case PicturesModel():
            return convert_pictures(native.network)
        case TorchModel():
            return convert_torch(native.network)
        case SklearnModel():
            return convert_sklearn_pipeline(native.pipeline)
        case ExportedModel():
            return onnx.load_from_string(native.file.content)
        case StackModel():
            return convert_stack([convert(member) for member in native.members], native.pool)
    raise TypeError(f"no exporter for {type(native).__name__}")


def convert_torch(network: PixelClassifier) -> onnx.ModelProto:
    """The network from pixels to probabilities, batch size free."""
    return graph_of(network, (SIDE, SIDE), [OUTPUT_NAME])


def convert_pictures(network: PictureClassifier) -> onnx.ModelProto:
    """The network from pixels to probabilities, novelty and embedding, batch size free."""
    outputs = [OUTPUT_NAME, NOVELTY_NAME, EMBEDDING_NAME]
    return graph_of(_Outputs(network), network.shape, outputs)


class _Outputs(nn.Module):
    """All that a network for pictures says, as its graph gives it."""

    def __init__(self, classifier: PictureClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.classifier.outputs(pixels)


def graph_of(network: nn.Module, shape: tuple[int, ...], results: Sequence[str]) -> onnx.ModelProto:
    """Any network of pixels; the same network gives the same graph.

    Traced at two examples: an exporter that sees one may freeze the batch at one.

    Args:
        network: uint8 [N, *shape] → float32 [N, …], one or several.
        shape: of one example.
        results: names of the outputs.
    """
    program = torch.onnx.export(
        network.eval(),
        (torch.zeros(2, *shape, dtype=torch.uint8),),
        dynamo=True,
        input_names=[INPUT_NAME],
        output_names=list(results),
        dynamic_shapes={"pixels": {0: "N"}},
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None  # noqa: S101  (None only when asked to write a file)
    return canonical(program.model_proto)


def convert_stack(members: Sequence[onnx.ModelProto], pool: Pool) -> onnx.ModelProto:
    """One graph that asks every member about the same pixels and pools what they say.

    Args:
        members: graphs under the contract, in the order of the pool's weights.
        pool: fitted weights.
    """
    graph = GraphBuilder()
    least = graph.constant(LEAST, np.float32)
    weighted = []
    for number, (member, weights) in enumerate(zip(members, pool.weights, strict=True)):
        probabilities = graph.include(member, f"m{number}_", {INPUT_NAME: INPUT_NAME})[OUTPUT_NAME]
        opinion = graph.add("Log", graph.add("Max", probabilities, least))
        weighted.append(graph.add("Mul", opinion, graph.constant(weights, np.float32)))
    total = graph.add("Sum", *weighted, graph.constant(pool.offset, np.float32))
    return canonical(graph.build(graph.add("Softmax", total, axis=1), len(pool.offset)))
