"""Exported graph → PyTorch network: what needs gradients works from the shipped files alone.

A clone has the exported graphs but no run folders. Grad-CAM, a student's teacher and the PyTorch
side of a comparison read a network's weights back from its graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from fmnist_cli.calibration import Curve, without_curve
from fmnist_cli.contract import EMBEDDING_NAME, OUTPUT_NAME
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session
from fmnist_cli.manifest import MANIFEST_FILE, Manifest
from fmnist_cli.models.network import PictureClassifier, PixelClassifier
from fmnist_cli.models.registry import REGISTRY, ModelSpec

ATOL = 1e-4  # in a probability; adding up in another order makes about 1e-6

_PRODUCTS = {nn.Conv2d: "Conv", nn.Linear: "Gemm"}
NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d)


def restore(file: ModelFile) -> PixelClassifier:
    """The PyTorch network of an exported model, ready to predict.

    The recipe comes from the manifest beside the file; or else it is that of the preset in the
    graph's card. Each normalisation that was folded into the product before it
    stays there and becomes an addition, so the function and the shapes are those of the trained
    network. The calibration curve at the end of the graph is no part of it; see `without_curve`.

    Raises:
        ModelError: the graph is not of a PyTorch network of the registry, or another one.
    """
    session = Session(file)
    card = session.card
    spec = REGISTRY.get(card.name)
    if spec is None and EMBEDDING_NAME in session.gives:
        spec = REGISTRY["photo"]  # whose features models of own classes use
    if spec is None or spec.framework not in ("torch", "pictures"):
        raise ModelError(f"{file.path} was not exported from a PyTorch network of this program")
    recipe = _recipe(file, spec, card.preset)
    try:
        network = spec.load().build(len(card.class_names), **recipe.get("params", {}))
        classifier = (
            PictureClassifier(network, session.spec.shape)
            if spec.framework == "pictures"
            else PixelClassifier(network)
        )
        graph, curve = without_curve(onnx.load_from_string(file.content))
        _fill(classifier.eval(), graph.graph, session.spec.shape)
    except (ValueError, LookupError, TypeError) as error:
        raise ModelError(
            f"{file.path} does not hold the weights of {spec.name}'s network: {error};"
            f" export it again: fmnist export {spec.name}"
        ) from error
    _check(classifier, curve, session, file)
    return classifier


def _recipe(file: ModelFile, spec: ModelSpec, preset: str) -> Mapping[str, Any]:
    """The hyperparameters of the run behind an exported file."""
    if file.entry is not None:
        return dict(file.entry.training.get("recipe", {}))
    if (file.path.parent / MANIFEST_FILE).exists():
        for entry in Manifest.read(file.path.parent).models.values():
            if entry.sha256 == file.sha256:
                return dict(entry.training.get("recipe", {}))
    recipes = spec.load().RECIPES
    return asdict(recipes[preset]) if preset in recipes else {}


def _calls(
    classifier: PixelClassifier, shape: Sequence[int]
) -> list[tuple[nn.Module, nn.Module | None]]:
    """Convolutions and linear layers in the order of their calls, with the norm behind each.

    Only those that the logits come from: a network may say more than these.
    """
    called: list[nn.Module] = []
    hooks = [
        layer.register_forward_hook(lambda layer, _inputs, _output: called.append(layer))
        for layer in classifier.network.modules()
        if not list(layer.children())
    ]
    logits = classifier.logits(torch.zeros(2, *shape, dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    products = [
        (layer, behind if isinstance(behind, NORMALIZATIONS) else None)
        for layer, behind in zip(called, [*called[1:], None], strict=True)
        if type(layer) in _PRODUCTS
    ]
    weights = [layer.get_parameter("weight") for layer, _ in products]
    slopes = torch.autograd.grad(logits.sum(), weights, allow_unused=True)
    return [one for one, slope in zip(products, slopes, strict=True) if slope is not None]


def _fill(classifier: PixelClassifier, graph: onnx.GraphProto, shape: Sequence[int]) -> None:
    constants = {
        tensor.name: torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
        for tensor in graph.initializer
    }
    for node in graph.node:  # weights may be stored in half precision
        if node.op_type == "Cast" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]].float()
    used = _needed(graph)

    def operands(operation: str) -> list[list[Tensor]]:
        nodes = [node for node in used if node.op_type == operation]
        read = [[constants[i] for i in node.input[1:] if i in constants] for node in nodes]
        return [found for found in read if found]

    _set(classifier.mean, operands("Sub")[0][0])
    _set(classifier.std, operands("Div")[1][0])  # the first is by 255
    softmax = next(node for node in reversed(used) if node.op_type == "Softmax")
    (before,) = (node for node in used if softmax.input[0] in node.output)
    if before.op_type == "Div":  # which exporters leave out where the temperature is 1
        _set(classifier.temperature, constants[before.input[1]])
    calls = _calls(classifier, shape)
    for kind, operation in _PRODUCTS.items():
        layers = [(layer, behind) for layer, behind in calls if isinstance(layer, kind)]
        found = operands(operation)
        if len(found) < len(layers):
            raise ValueError(f"{len(found)} {operation} nodes for {len(layers)} layers")
        # Fixed features in front of a network are convolutions, too.
        for (layer, behind), values in zip(layers, found[len(found) - len(layers) :], strict=True):
            _set_layer(layer, behind, *values)


def _needed(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that probabilities come from, in their order; a graph may have other outputs."""
    wanted = {OUTPUT_NAME}
    found = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.append(node)
    return found[::-1]


@torch.no_grad()
def _set_layer(
    layer: nn.Module, behind: nn.Module | None, weight: Tensor, bias: Tensor | None = None
) -> None:
    assert isinstance(layer, nn.Conv2d | nn.Linear)  # noqa: S101
    _set(layer.weight, weight)
    if behind is None:
        if (layer.bias is None) != (bias is None):
            raise ValueError("a bias is missing or left over")
        if layer.bias is not None and bias is not None:
            _set(layer.bias, bias)
        return
    assert isinstance(behind, NORMALIZATIONS)  # noqa: S101
    assert behind.running_var is not None  # noqa: S101
    if bias is None:
        raise ValueError("a normalisation was not folded into the product before it")
    behind.running_var.fill_(1 - behind.eps)
    behind.weight.fill_(1)
    _set(behind.bias, bias)


@torch.no_grad()
def _set(target: Tensor, value: Tensor) -> None:
    if target.shape != value.shape:
        raise ValueError(f"the graph has shape {[*value.shape]}, the network {[*target.shape]}")
    target.copy_(value)


def _check(
    classifier: PixelClassifier, curve: Curve | None, session: Session, file: ModelFile
) -> None:
    """Both must say the same of noise, whose probabilities every weight has a part in."""
    noise = np.random.default_rng(0).integers(0, 256, (16, *session.spec.shape), np.uint8)
    with torch.inference_mode():
        ours = classifier(torch.from_numpy(noise)).numpy()
    if curve is not None:
        ours = curve(ours)
    difference = float(np.abs(ours - session.probabilities(noise)).max())
    if not difference <= ATOL:
        raise ModelError(
            f"{file.path}: its graph and the network {session.card.name} differ by {difference:.1e}"
        )
