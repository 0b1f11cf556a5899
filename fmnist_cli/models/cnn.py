"""The small network: depthwise-separable, 2.9 million multiply-adds, 51 thousand parameters."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from fmnist_cli.models.registry import TorchRecipe

_QUICK = TorchRecipe(epochs=3, translate=1, muon=True)
_LONG = replace(_QUICK, epochs=12, learning_rate=8e-3, weight_decay=0.02, label_smoothing=0.05)
_TAUGHT = replace(_LONG, teachers=("resnet", "mlp"), teacher_share=0.8, teacher_temperature=1.5)
RECIPES = {"quick": _QUICK, "standard": _LONG, "best": replace(_TAUGHT, epochs=60)}

# With --init: on, in varied light.
FINE_TUNING = replace(RECIPES["best"], epochs=16, learning_rate=5e-3, relight=0.08, teachers=())


def _convolution(
    before: int, after: int, size: int = 3, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class _Separable(nn.Module):
    """A depthwise and a pointwise convolution (Howard et al. 2017), added to what comes in."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _convolution(before, before, stride=stride, groups=before),
            _convolution(before, after, size=1),
        )
        self.added = before == after and stride == 1

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.layers(images)
        return images + result if self.added else result


def build(classes: int = 10) -> nn.Module:
    """float32 [N, 1, 28, 28] → logits float32 [N, classes]."""
    return nn.Sequential(
        nn.PixelUnshuffle(2),  # [N, 4, 14, 14]: each 2×2 block becomes channels, nothing is lost
        _convolution(4, 32),
        _Separable(32, 32),
        _Separable(32, 32),
        _Separable(32, 112, stride=2),  # [N, 112, 7, 7]
        _Separable(112, 112),
        _Separable(112, 112),
        _Separable(112, 112),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(112, classes),
    )
