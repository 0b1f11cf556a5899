"""Residual network (He et al. 2015) for 28×28: two stages of basic blocks, 27 million MACs."""

from __future__ import annotations

from torch import nn
from torchvision.models.resnet import BasicBlock

from fmnist_cli.models.registry import TorchRecipe

RECIPES = {
    "quick": TorchRecipe(
        epochs=1, batch_size=64, translate=0, ema_decay=0.98, bfloat16=True, muon=True
    ),
    "standard": TorchRecipe(epochs=12, learning_rate=8e-3, erase=0.25, bfloat16=True, muon=True),
    "best": TorchRecipe(epochs=60, learning_rate=8e-3, erase=0.5, bfloat16=True, muon=True),
}

# With --init: longer, in varied light, with what teachers say besides (--teacher).
FINE_TUNING = TorchRecipe(
    epochs=26,
    learning_rate=5e-3,
    erase=0.5,
    relight=0.3,
    translate=1,
    bfloat16=True,
    muon=True,
    teacher_share=0.7,
    teacher_temperature=1.5,
)


def _stage(before: int, after: int, blocks: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or before != after:
        shortcut = nn.Sequential(
            nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
        )
    first = BasicBlock(before, after, stride, shortcut)
    return nn.Sequential(first, *(BasicBlock(after, after) for _ in range(blocks - 1)))


def build(classes: int = 10, width: int = 40) -> nn.Module:
    """float32 [N, 1, 28, 28] → logits float32 [N, classes]."""
    network = nn.Sequential(
        nn.PixelUnshuffle(2),  # [N, 4, 14, 14]: each 2×2 block becomes channels, nothing is lost
        nn.Conv2d(4, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        _stage(width, width, blocks=2, stride=1),
        _stage(width, 2 * width, blocks=3, stride=2),  # [N, 2·width, 7, 7]
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, classes),
    )
    for module in network.modules():
        if isinstance(module, BasicBlock):
            # Blocks start as the identity, which steadies the first epochs (Goyal et al. 2017).
            nn.init.zeros_(module.bn2.weight)
    return network
