"""What all PyTorch models share: pixels in, probabilities out, as the contract says."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelClassifier(nn.Module):
    """A network between pixel normalisation and a calibrated softmax.

    Args:
        network: float32 [N, 1, 28, 28] → logits float32 [N, classes].
        mean: mean of the training pixels, scaled to 0..1.
        std: their standard deviation.
    """

    mean: Tensor
    std: Tensor
    temperature: Tensor

    def __init__(self, network: nn.Module, mean: float = 0.286, std: float = 0.353) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.register_buffer("temperature", torch.tensor(1.0))

    def normalize(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → float32 [N, 1, 28, 28], zero mean and unit variance."""
        scaled = pixels.to(torch.float32) / 255
        return ((scaled - self.mean) / self.std).unsqueeze(1)

    def logits(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → logits float32 [N, classes], before the temperature."""
        logits: Tensor = self.network(self.normalize(pixels))
        return logits

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → probabilities float32 [N, classes]."""
        return torch.softmax(self.logits(pixels) / self.temperature, dim=1)
