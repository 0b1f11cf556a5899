"""The guard's network: histograms of gradients, two hidden layers, 0.27 million weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.models.network import Hog


class GuardNet(nn.Module):
    """Tells the known classes and what is none of them, the last, from each other.

    Args:
        width: of both hidden layers.
    """

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.hog = Hog()
        self.layers = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(self.hog.size, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, len(CLASS_NAMES) + 1),
        )

    def histograms(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → float32 [N, 784]; nothing in it is learned."""
        grey = pixels.to(torch.float32).unsqueeze(1) / 255
        features: Tensor = self.hog(grey)
        return features

    def novelty_of(self, histograms: Tensor) -> Tensor:
        """float32 [N, 784] → float32 [N]: the log of the odds that it is of no known class."""
        logits = self.layers(histograms)
        novelty: Tensor = logits[:, -1] - torch.logsumexp(logits[:, :-1], dim=1)
        return novelty

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → novelty float32 [N]."""
        return self.novelty_of(self.histograms(pixels))
