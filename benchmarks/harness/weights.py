"""The weights of an exported graph, back in PyTorch.

The peer in PyTorch has to predict with the same weights, also in a clone, which has the
exported graphs but no run folders.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from peers.network import build, normalizations
from torch import nn

from fmnist_cli.contract import Pixels
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import open_model

ATOL = 1e-4  # in a probability; adding up in another order makes about 1e-6


def _fill(target: torch.Tensor, value: torch.Tensor) -> None:
    if target.shape != value.shape:
        raise SystemExit(f"the graph has shape {[*value.shape]}, the network {[*target.shape]}")
    target.copy_(value)


@torch.no_grad()
def classifier_of(graph: onnx.GraphProto, model: str) -> PixelClassifier:
    """The network called `model`, its normalisation and its temperature, all from `graph`."""
    constants = {
        tensor.name: torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
        for tensor in graph.initializer
    }

    def operands(operation: str) -> list[list[torch.Tensor]]:
        nodes = [node for node in graph.node if node.op_type == operation]
        return [[constants[name] for name in node.input[1:]] for node in nodes]

    classifier = build(model)
    _fill(classifier.mean, operands("Sub")[0][0])
    _, (std,), (temperature,) = operands("Div")  # the first divides by 255
    _fill(classifier.std, std)
    _fill(classifier.temperature, temperature)
    convolutions = [layer for layer in classifier.modules() if isinstance(layer, nn.Conv2d)]
    behind = normalizations(classifier)
    for layer, (weight, bias) in zip(convolutions, operands("Conv"), strict=True):
        # Exporting folds the normalisation into the convolution before it. What was folded
        # stays there, and the normalisation adds the bias: the same function, and the same
        # work as in the network that was trained.
        _fill(layer.weight, weight)
        normalization = behind[layer]
        assert normalization.running_var is not None  # noqa: S101
        normalization.running_var.fill_(1 - normalization.eps)
        normalization.weight.fill_(1)
        _fill(normalization.bias, bias)
    (linear,) = [layer for layer in classifier.modules() if isinstance(layer, nn.Linear)]
    ((weight, bias),) = operands("Gemm")
    _fill(linear.weight, weight)
    _fill(linear.bias, bias)
    return classifier


def largest_difference(classifier: PixelClassifier, session: Session, pixels: Pixels) -> float:
    """Between the probabilities of PyTorch and of ONNX Runtime for uint8 [N, 28, 28]."""
    with torch.inference_mode():
        ours = classifier(torch.from_numpy(np.array(pixels))).numpy()
    return float(np.abs(ours - session(pixels)).max())


def write_weights(model: str, pixels: Pixels, target: Path) -> float:
    """Write the weights of the exported `model` for `peers.torch_loader`.

    Returns:
        The largest difference between both on `pixels`.

    Raises:
        SystemExit: it is above `ATOL`, so the peer would do other work than we do.
    """
    file = open_model(model)
    classifier = classifier_of(onnx.load_from_string(file.content).graph, model)
    difference = largest_difference(classifier, Session(file), pixels)
    if not difference <= ATOL:
        raise SystemExit(f"{model}: PyTorch and ONNX differ by {difference:.1e}, not measured")
    torch.save(classifier.state_dict(), target)
    return difference
