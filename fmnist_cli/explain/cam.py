"""The methods: activations of a layer and gradients of a class score → where the evidence is.

All weigh the planes A [C, h, w] of a layer by gradients G = ∂(logit of the class)/∂A and add them
up; they differ in the weights. Captum reads A and G from the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from captum.attr import LayerActivation, LayerGradientXActivation
from torch import Tensor
from torch.nn.functional import interpolate, relu

from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.explain.layers import Layer
from fmnist_cli.models.network import PixelClassifier

_BATCH_PLACES = 400_000  # pixels of a batch: all layers' planes are held at once
_BATCH = 250

Method = Callable[[Tensor, Tensor], Tensor]  # A, G float32 [N, C, h, w] → evidence [N, h, w]


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
    maps = [
        _batch(
            classifier, pixels[start : start + size], targets[start : start + size], method, layers
        )
        for start in range(0, len(pixels), size)
    ]
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
    modules = [layer.module for layer in layers]
    # Captum takes its hooks away again, also after an error.
    scores = classifier.scores
    activations = LayerActivation(scores, modules).attribute(inputs)
    gradients = LayerGradientXActivation(scores, modules, multiply_by_inputs=False).attribute(
        inputs, target=classes
    )
    size = pixels.shape[1:3]
    total = torch.zeros(len(pixels), *size)
    for planes, slopes in zip(activations, gradients, strict=True):
        evidence = METHODS[method](planes.detach(), slopes.detach())
        total += _scaled(_resized(relu(evidence), size))
    return _scaled(total).numpy()


def _resized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """[N, h, w] → [N, H, W], bilinear."""
    return interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def _scaled(maps: Tensor) -> Tensor:
    most = maps.amax(dim=(1, 2), keepdim=True)
    return maps / torch.where(most > 0, most, 1)
