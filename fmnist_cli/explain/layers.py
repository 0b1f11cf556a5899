"""The layers of a network that a class activation map can be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.models.network import PixelClassifier

STAGES = "stages"
_FINE = 5  # planes of fewer pixels a side make a blob


@dataclass(frozen=True, slots=True)
class Layer:
    """A module whose output is a stack of planes.

    Attributes:
        name: path of the module in the network, as PyTorch names it.
        module: the module itself.
        channels: planes in its output.
        height: of each.
        width: of each.
    """

    name: str
    module: nn.Module
    channels: int
    height: int
    width: int

    @property
    def size(self) -> str:
        """Such as ``14x14``."""
        return f"{self.height}x{self.width}"


def layers_of(classifier: PixelClassifier, shape: Sequence[int]) -> tuple[Layer, ...]:
    """The layers of a network in the order in which they are done.

    Args:
        classifier: only read.
        shape: of the pixels of one picture.

    Left out is what has no planes larger than one pixel, and modules that are called more than
    once for an image: which of their outputs would be meant is not clear.
    """
    calls: dict[str, list[Tensor]] = {}
    named = [(name, module) for name, module in classifier.network.named_modules() if name]

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor):
            calls.setdefault(name, []).append(output)

    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: note(name, output))
        for name, module in named
    ]
    try:
        with torch.inference_mode():
            classifier.logits(torch.zeros(2, *shape, dtype=torch.uint8))
    finally:
        for hook in hooks:
            hook.remove()
    modules = dict(named)
    return tuple(
        Layer(name, modules[name], *outputs[0].shape[1:])
        for name, outputs in calls.items()
        if len(outputs) == 1 and outputs[0].ndim == 4 and min(outputs[0].shape[2:]) > 1
    )


def stages_of(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """What a network is put together from at the top: each block, and each run of plain layers.

    Where nothing at the top has planes as its output, such as a backbone that pools them, the top
    is the first level on which something has.
    Of a run, such as a convolution, its normalisation and its nonlinearity, the last is taken.
    Left out are stages without weights, and planes below 5×5, which are too coarse to point at
    anything.
    """
    runs: list[list[Layer]] = []
    top = min((layer.name.count(".") for layer in layers), default=0)
    for layer in layers:
        if layer.name.count(".") > top or min(layer.height, layer.width) < _FINE:
            continue
        if runs and _is_plain(layer) and _is_plain(runs[-1][-1]):
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return tuple(run[-1] for run in runs if any(_has_weights(layer) for layer in run))


def _is_plain(layer: Layer) -> bool:
    return not list(layer.module.children())


def _has_weights(layer: Layer) -> bool:
    return any(True for _ in layer.module.parameters())


def choose_layers(layers: Sequence[Layer], wanted: str = STAGES) -> tuple[Layer, ...]:
    """The layers that `wanted` names; maps of several are averaged.

    Args:
        layers: of the network, in order.
        wanted: names joined by ``+``: ``stages`` for all of `stages_of`, ``14x14`` for the last
            layer with planes of that size, anything else for the module of that path.

    Raises:
        UsageError: there is no such layer; the message lists those there are.
        ModelError: the network has no layer to choose.
    """
    stages = stages_of(layers)
    if not stages:
        raise ModelError(
            "this network has no layer of planes, so there is no class activation map of it;"
            " choose a convolutional one: cnn, resnet"
        )
    sizes = {layer.size: (layer,) for layer in layers}
    known = {**{layer.name: (layer,) for layer in layers}, **sizes, STAGES: stages}
    names = wanted.split("+")
    if unknown := [name for name in names if name not in known]:
        modules = ", ".join(f"{layer.name} ({layer.size})" for layer in layers)
        raise UsageError(
            f"there is no layer called {unknown[0]!r}; choose from {STAGES}, {', '.join(sizes)},"
            f" the last of that size, or from {modules}; several are joined by +"
        )
    # A stage may be the last layer of its size, too; it counts once.
    return tuple({layer.name: layer for name in names for layer in known[name]}.values())
