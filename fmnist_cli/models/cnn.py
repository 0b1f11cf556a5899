"""The small network: four convolutions, 3.0 million multiply-adds, 45 thousand parameters."""

from __future__ import annotations

from torch import nn

from fmnist_cli.models.recipes import TorchRecipe

RECIPES = {
    "quick": TorchRecipe(epochs=3, translate=1, ema_decay=0.98, muon=True),
    "standard": TorchRecipe(epochs=12, learning_rate=8e-3, weight_decay=0.02, muon=True),
    "best": TorchRecipe(epochs=90, learning_rate=1e-2, weight_decay=0.02, label_smoothing=0.05),
}


def _convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def build(classes: int = 10) -> nn.Module:
    """float32 [N, 1, 28, 28] → logits float32 [N, classes]."""
    return nn.Sequential(
        nn.PixelUnshuffle(2),  # [N, 4, 14, 14]: each 2×2 block becomes channels, nothing is lost
        _convolution(4, 16),
        _convolution(16, 32),
        _convolution(32, 48, stride=2),  # [N, 48, 7, 7]
        _convolution(48, 60),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(60, classes),
    )
