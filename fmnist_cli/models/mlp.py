"""Multilayer perceptron: three hidden layers with batch normalisation and dropout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from fmnist_cli.models.network import Hog
from fmnist_cli.models.registry import Preset, TorchRecipe

_QUICK = TorchRecipe(epochs=4, batch_size=256, translate=0, ema_decay=0.98)
_LONG = TorchRecipe(epochs=100, batch_size=256, translate=1)


def _variant(features: str, epochs: Mapping[Preset, int]) -> dict[Preset, TorchRecipe]:
    params = {"features": features}
    return {
        preset: replace(_QUICK if preset == "quick" else _LONG, epochs=count, params=params)
        for preset, count in epochs.items()
    }


VARIANTS = {
    # Histograms take longer than what follows them, and need fewer epochs.
    "hog": _variant("hog", {"quick": 2, "standard": 12, "best": 40}),
    "pixels": _variant("pixels", {"quick": 4, "standard": 30, "best": 100}),
}
RECIPES = VARIANTS["hog"]
# With --init: on, in varied light.
FINE_TUNING = replace(RECIPES["best"], epochs=24, learning_rate=4e-3, relight=0.1)


class _Histograms(nn.Module):
    """Normalised images float32 [N, 1, 28, 28] → their `Hog`, float32 [N, 784]."""

    def __init__(self) -> None:
        super().__init__()
        self.hog = Hog()

    def forward(self, images: Tensor) -> Tensor:
        # What `PixelClassifier` does to the pixels, undone; with its default figures, which this
        # data's match to the third digit: Hog looks at differences, so that is near enough.
        grey = (images * 0.353 + 0.286).clamp(0, 1)
        with torch.no_grad():  # nothing is learned before it, and a root has no slope at zero
            histograms: Tensor = self.hog(grey)
        return 4 * histograms  # variance about one, as of the normalised pixels


def build(classes: int = 10, features: str = "pixels") -> nn.Module:
    """float32 [N, 1, 28, 28] → logits float32 [N, classes]; 0.57 million parameters.

    Either kind of features, ``"hog"`` or ``"pixels"``, is 784 numbers.
    """
    widths = (784, 512, 256, 128)
    layers: list[nn.Module] = [_Histograms() if features == "hog" else nn.Flatten()]
    for before, after in pairwise(widths):
        layers += [
            nn.Linear(before, after, bias=False),
            nn.BatchNorm1d(after),
            nn.GELU(),
            nn.Dropout(0.2),
        ]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))
