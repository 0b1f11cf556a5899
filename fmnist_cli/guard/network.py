"""The guard's network: histograms of gradients, two hidden layers, 0.27 million weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fmnist_cli.models.hog import Hog


class GuardNet(nn.Module):
    """Tells known classes from strange ones, and says how strange an image is.

    Args:
        known: number of classes that are not novel.
        strange: number of those that are.
        width: of both hidden layers.
    """

    def __init__(self, known: int, strange: int, width: int = 256) -> None:
        super().__init__()
        self.known = known
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
            nn.Linear(width, known + strange),
        )

    def histograms(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → float32 [N, 784]; nothing in it is learned."""
        grey = pixels.to(torch.float32).unsqueeze(1) / 255
        features: Tensor = self.hog(grey)
        return features

    def novelty_of(self, histograms: Tensor) -> Tensor:
        """float32 [N, 784] → float32 [N]: the log of the odds that it is of no known class."""
        logits = self.layers(histograms)
        strange = torch.logsumexp(logits[:, self.known :], dim=1)
        novelty: Tensor = strange - torch.logsumexp(logits[:, : self.known], dim=1)
        return novelty

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → novelty float32 [N]."""
        return self.novelty_of(self.histograms(pixels))
