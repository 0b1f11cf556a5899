"""A small U-Net (Ronneberger et al. 2015): 156 million multiply-adds, 489 thousand weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def _convolution(before: int, after: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = _convolution(width, width)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = values + self.layer(values)
        return result


class _Up(nn.Module):
    """Twice the size, joined with what the encoder had at that size."""

    def __init__(self, below: int, beside: int) -> None:
        super().__init__()
        self.mix = _convolution(below + beside, beside, size=1)
        self.layer = _convolution(beside, beside)

    def forward(self, below: Tensor, beside: Tensor) -> Tensor:
        larger = functional.interpolate(below, scale_factor=2.0, mode="nearest")
        result: Tensor = self.layer(self.mix(torch.cat([larger, beside], dim=1)))
        return result


class IsolateNet(nn.Module):
    """Where in a photo the garment is."""

    def __init__(self) -> None:
        super().__init__()
        self.at64 = _convolution(3, 24, size=5, stride=2)
        self.at32 = nn.Sequential(_convolution(24, 48, stride=2), _Residual(48))
        self.at16 = nn.Sequential(_convolution(48, 72, stride=2), _Residual(72), _Residual(72))
        self.at8 = nn.Sequential(_convolution(72, 96, stride=2), _Residual(96), _Residual(96))
        self.context = nn.Linear(96, 96)  # what kind of picture it is, told to every place
        self.up16 = _Up(96, 72)
        self.up32 = _Up(72, 48)
        self.up64 = _Up(48, 24)
        self.head = nn.Conv2d(24, 1, 1)

    def logits(self, image: Tensor) -> Tensor:
        """uint8 or float32 [N, 128, 128, 3], 0 to 255 → float32 [N, 64, 64]."""
        scaled = image.to(torch.float32).permute(0, 3, 1, 2) / 127.5 - 1
        at64 = self.at64(scaled)
        at32 = self.at32(at64)
        at16 = self.at16(at32)
        at8 = self.at8(at16)
        told = self.context(at8.mean(dim=(2, 3)))
        at8 = functional.relu(at8 + told[:, :, None, None])
        found: Tensor = self.head(self.up64(self.up32(self.up16(at8, at16), at32), at64))
        return found[:, 0]

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [N, 128, 128, 3] RGB → probability of garment, float32 [N, 64, 64]."""
        return torch.sigmoid(self.logits(image))
