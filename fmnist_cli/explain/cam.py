"""Class activation maps: activations of a layer and gradients of a class score → the evidence.

All methods weigh the planes A [C, h, w] of a layer by gradients G = ∂(logit of the class)/∂A and
add them up; they differ in the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.models.network import PixelClassifier

STAGES = "stages"
_FINE = 5  # planes of fewer pixels a side make a blob
_BATCH_PLACES = 400_000  # pixels of a batch: all layers' planes are held at once
_BATCH = 250

Method = Callable[[Tensor, Tensor], Tensor]  # A, G float32 [N, C, h, w] → evidence [N, h, w]


@dataclass(frozen=True, slots=True)
class Layer:
    """A module whose output is a stack of planes.

    Attributes:
        name: path of the module in the network, as PyTorch names it.
        channels: planes in its output.
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
    return tuple(run[-1] for run in runs if any(list(layer.module.parameters()) for layer in run))


def _is_plain(layer: Layer) -> bool:
    return not list(layer.module.children())


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


def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each plane by the mean of its gradients (Selvaraju et al. 2017, arXiv 1610.02391)."""
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1)


def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each place by its own gradient (Draelos and Carin 2020, arXiv 2011.08891)."""
    return (gradients * activations).sum(dim=1)


def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each place by its own gradient where that is positive (Jiang et al. 2021, TIP)."""
    return (relu(gradients) * activations).sum(dim=1)


def gradcam_pp(activations: Tensor, gradients: Tensor) -> Tensor:
    """Each plane by positive gradients, those of few places counting more.

    Chattopadhay et al. 2018, arXiv 1710.11063, equations 15 and 19: with exp(logit) as the score,
    its second and third derivatives are powers of G, and exp(logit) itself scales the whole map.
    """
    squares = gradients**2
    below = 2 * squares + gradients**3 * activations.sum(dim=(2, 3), keepdim=True)
    # No small number is added below: gradients are as small as 1e-3 here, their squares 1e-6.
    alpha = torch.where(below != 0, squares / torch.where(below != 0, below, 1), 0)
    weights = (alpha * relu(gradients)).sum(dim=(2, 3), keepdim=True)
    return (weights * activations).sum(dim=1)


METHODS: dict[str, Method] = {
    "gradcam": gradcam,
    "hirescam": hirescam,
    "layercam": layercam,
    "gradcam++": gradcam_pp,
}


def heatmaps(
    classifier: PixelClassifier,
    pixels: Pixels,
    targets: Labels,
    method: str,
    layers: Sequence[Layer],
) -> npt.NDArray[np.float32]:
    """Where the evidence for a class is, per image.

    What is explained is the logit, before the temperature. Maps of several layers are averaged,
    each scaled to a maximum of 1.

    Args:
        classifier: in evaluation mode; only read.
        pixels: uint8 [N, H, W] or [N, H, W, 3].
        targets: int64 [N], the class that each map is for.
        method: one of `METHODS`.
        layers: of this very classifier.

    Returns:
        float32 [N, H, W], 0 to 1: 0 no evidence for the class, 1 the most in this image. A map
        is 0 throughout where there is none at all.
    """
    height, width = pixels.shape[1:3]
    size = max(1, min(_BATCH, _BATCH_PLACES // (height * width)))
    parts = (slice(start, start + size) for start in range(0, len(pixels), size))
    maps = [_batch(classifier, pixels[part], targets[part], method, layers) for part in parts]
    return np.concatenate([np.empty((0, height, width), np.float32), *maps])


def _batch(
    classifier: PixelClassifier,
    pixels: Pixels,
    targets: Labels,
    method: str,
    layers: Sequence[Layer],
) -> npt.NDArray[np.float32]:
    images, classes = torch.from_numpy(pixels.copy()), torch.from_numpy(targets.copy())
    inputs = classifier.normalize(images).requires_grad_()
    activations: dict[str, Tensor] = {}

    def keep(name: str, _module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        activations[name] = output
        return output.clone()  # for what changes it in place

    hooks = [layer.module.register_forward_hook(partial(keep, layer.name)) for layer in layers]
    try:
        scores = classifier.scores(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    score = scores.gather(1, classes[:, None]).sum()
    planes = [activations[layer.name] for layer in layers]
    size = pixels.shape[1:3]
    total = torch.zeros(len(pixels), *size)
    for plane, slopes in zip(planes, torch.autograd.grad(score, planes), strict=True):
        evidence = METHODS[method](plane.detach(), slopes)
        enlarged = interpolate(relu(evidence)[:, None], size, mode="bilinear")[:, 0]
        total += _scaled(enlarged)
    return _scaled(total).numpy()


def _scaled(maps: Tensor) -> Tensor:
    most = maps.amax(dim=(1, 2), keepdim=True)
    return maps / torch.where(most > 0, most, 1)
