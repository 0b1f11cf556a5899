"""What all PyTorch models share: pixels in, probabilities out, as the contract says."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PixelClassifier(nn.Module):
    """A network between pixel normalisation and a calibrated softmax.

    Args:
        network: float32 [N, C, H, W] → logits float32 [N, classes].
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
        """uint8 [N, H, W] or [N, H, W, 3] → float32 [N, 1 or 3, H, W], mean 0 and variance 1."""
        scaled = (pixels.to(torch.float32) / 255 - self.mean) / self.std
        return scaled.unsqueeze(1) if pixels.ndim == 3 else scaled.permute(0, 3, 1, 2)

    def scores(self, images: Tensor) -> Tensor:
        """Normalised float32 [N, C, H, W] → logits float32 [N, classes], before the temperature."""
        logits: Tensor = self.network(images)
        return logits

    def logits(self, pixels: Tensor) -> Tensor:
        """uint8 [N, H, W] or [N, H, W, 3] → logits float32 [N, classes]."""
        return self.scores(self.normalize(pixels))

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 [N, H, W] or [N, H, W, 3] → probabilities float32 [N, classes]."""
        return torch.softmax(self.logits(pixels) / self.temperature, dim=1)


class PictureNetwork(nn.Module):
    """float32 [N, 3, H, W] → logits float32 [N, classes + 1] and features float32 [N, D].

    The last logit stands for whatever is none of the classes.

    Attributes:
        backbone: float32 [N, 3, H, W] → float32 [N, D].
        head: a row per class, and one for none of them.
    """

    def __init__(self, backbone: nn.Sequential, features: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(features, classes + 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and features."""
        features: Tensor = self.backbone(images)
        return self.head(features), features


class PictureClassifier(PixelClassifier):
    """A `PictureNetwork` between pixels in colour and probabilities.

    Args:
        network: float32 [N, 3, H, W], about -1 to 1 → logits and features.
        shape: (height, width, 3), of its pixels; their grey 127, around letterboxes, becomes zero.
    """

    network: PictureNetwork

    def __init__(self, network: PictureNetwork, shape: tuple[int, ...]) -> None:
        super().__init__(network, 127 / 255, 128 / 255)
        self.shape = shape

    def scores(self, images: Tensor) -> Tensor:
        """Normalised float32 [N, 3, H, W] → logits float32 [N, classes]."""
        logits: Tensor = self.network(images)[0]
        return logits[:, :-1]

    def outputs(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """uint8 [N, H, W, 3] → probabilities [N, classes], novelty [N], embedding [N, D].

        Novelty is the log-odds of "none of the classes" against the best of them.
        """
        logits, features = self.network(self.normalize(pixels))
        known, none = logits[:, :-1], logits[:, -1]
        return torch.softmax(known / self.temperature, dim=1), none - known.amax(dim=1), features
