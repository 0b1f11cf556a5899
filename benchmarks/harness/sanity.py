"""The parameter randomisation check (Adebayo et al. 2018, arXiv 1810.03292).

A map that stays the same when the weights are scrambled shows the picture, not the network.
Layers are scrambled one after another from the top, and each time the maps are compared with
the first ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fmnist_cli.contract import Pixels
from fmnist_cli.models.network import PixelClassifier

# Maps of different pictures are alike, too, because garments are centred. Scrambling has done
# its work when the maps of the same picture are no more alike than that, give or take this much.
TOLERANCE = 0.1
Maps = npt.NDArray[np.float32]  # [N, H, W], 0 to 1
MapsOf = Callable[[PixelClassifier, Pixels], Maps]

DRAWS = 5  # of all weights: one draw is as good as its luck


@dataclass(frozen=True, slots=True)
class Similarity:
    """How much two sets of maps are alike, as means over images.

    Attributes:
        spearman: rank correlation of the pixels, -1 to 1.
        ssim: structural similarity (Wang et al. 2004), -1 to 1.
    """

    spearman: float
    ssim: float

    def within(self, other: Similarity, tolerance: float) -> bool:
        """Whether neither is more than `tolerance` above the other's."""
        return self.spearman <= other.spearman + tolerance and self.ssim <= other.ssim + tolerance


@dataclass(frozen=True, slots=True)
class Sanity:
    """The result of the check.

    Attributes:
        images: how many.
        stages: name of the layer scrambled last, and the similarity to the first maps.
        scrambled: with all layers scrambled, the mean over `DRAWS` draws of the weights.
        unrelated: similarity of the first maps of different pictures.
        tolerance: how much above `unrelated` it may be.
        passed: whether it is not.
    """

    images: int
    stages: tuple[tuple[str, Similarity], ...]
    scrambled: Similarity
    unrelated: Similarity
    tolerance: float
    passed: bool


def check(
    classifier: PixelClassifier,
    pixels: Pixels,
    maps_of: MapsOf,
    *,
    seed: int = 0,
) -> Sanity:
    """Scramble a copy of the network layer by layer, and see what becomes of its maps.

    Args:
        classifier: left as it is.
        pixels: uint8 [N, H, W], N at least 2.
        maps_of: the maps of these images by a network.
        seed: of the new weights.
    """
    scrambled = copy.deepcopy(classifier)
    first = maps_of(scrambled, pixels)
    unrelated = compare(first, np.roll(first, 1, axis=0))
    stages = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in reversed(_with_weights(scrambled)):
            _scramble(module)
            maps = maps_of(scrambled, pixels)
            stages.append((name, compare(first, maps)))
        draws = [stages[-1][1]]
        for _ in range(DRAWS - 1):
            for _, module in _with_weights(scrambled):
                _scramble(module)
            maps = maps_of(scrambled, pixels)
            draws.append(compare(first, maps))
    whole = Similarity(
        float(np.mean([alike.spearman for alike in draws])),
        float(np.mean([alike.ssim for alike in draws])),
    )
    passed = whole.within(unrelated, TOLERANCE)
    return Sanity(len(pixels), tuple(stages), whole, unrelated, TOLERANCE, passed)


def _with_weights(classifier: PixelClassifier) -> list[tuple[str, nn.Module]]:
    """Convolutions, linear layers and normalisations, in the order they are defined in."""
    return [
        (name, module)
        for name, module in classifier.network.named_modules()
        if hasattr(module, "reset_parameters")
    ]


def _scramble(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        # Normal and not PyTorch's default: the latter shrinks from layer to layer to nothing.
        nn.init.kaiming_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        module.reset_parameters()


def compare(first: Maps, second: Maps) -> Similarity:
    """Mean similarity of maps, pair by pair; both [N, H, W], 0 to 1.

    A map without any evidence is like no other: its rank correlation counts as 0.
    """
    spearman = [_spearman(a, b) for a, b in zip(first, second, strict=True)]
    ssim = [_ssim(a, b) for a, b in zip(first, second, strict=True)]
    return Similarity(float(np.mean(spearman)), float(np.mean(ssim)))


def _spearman(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    from scipy.stats import rankdata

    a, b = (rankdata(values.ravel()) for values in (first, second))
    a, b = a - a.mean(), b - b.mean()
    length = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / length) if length > 0 else 0.0


def _ssim(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    """With the window (11×11, sigma 1.5) and constants of the paper, values from 0 to 1."""

    def smooth(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))

    a, b = first.astype(np.float64), second.astype(np.float64)
    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2
    covariance = smooth(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((above / below).mean())
