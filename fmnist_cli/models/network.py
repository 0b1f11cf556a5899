"""What PyTorch models share: pixels in, probabilities out, as the contract says; histograms."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli.data.fashion_mnist import SIDE


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


class Hog(nn.Module):
    """Histograms of oriented gradients, after Dalal & Triggs (2005), with soft votes.

    The result is the square root of each cell's histogram of gradient directions. It differs from
    the usual recipe where that was better on validation (`docs/research/classical.md`): gradients
    keep their sign (light to dark is not dark to light), each cell is normalised on its own, and a
    pixel votes for directions through a window rather than for the nearest one. Without that last
    step a gradient midway between two directions would jump from one to the other by rounding,
    and an exported graph could not agree with this module.

    With g the gradient at a pixel and u a unit vector in one of the directions, the pixel votes
    max(0, g·u - sharpness·|g|) for it: only if the angle between them is below
    arccos(sharpness). Votes are spread over the nearest cells in proportion to closeness, linear in
    each axis. The root of a cell's shares compares histograms by the Hellinger distance.

    Args:
        directions: over the full turn.
        cell: pixels along the side of a cell; even, and dividing 28.
        sharpness: cosine of the angle at which a pixel stops to vote, 0 to 1.
        floor: added to a cell's total, so that faint noise stays faint.
    """

    derivatives: Tensor
    directions: Tensor
    spread: Tensor

    def __init__(
        self, directions: int = 16, cell: int = 4, sharpness: float = 0.9, floor: float = 0.2
    ) -> None:
        super().__init__()
        self.cell, self.floor = cell, floor
        self.size = directions * (SIDE // cell) ** 2
        central = torch.zeros(2, 1, 3, 3)
        central[0, 0, 1, 0], central[0, 0, 1, 2] = -1, 1  # across
        central[1, 0, 0, 1], central[1, 0, 2, 1] = -1, 1  # down
        angles = torch.arange(directions, dtype=torch.float64) * (2 * math.pi / directions)
        votes = torch.stack([angles.cos(), angles.sin(), torch.full_like(angles, -sharpness)], 1)
        ramp = 1 - (torch.arange(2 * cell) - (cell - 0.5)).abs() / cell
        weights = ramp[:, None] * ramp / (cell**2 * (1 - sharpness))
        # Fixed by the arguments, so not part of a network's saved weights.
        self.register_buffer("derivatives", central, persistent=False)
        self.register_buffer("directions", votes.float()[:, :, None, None], persistent=False)
        self.register_buffer(
            "spread", weights.expand(directions, 1, -1, -1).clone(), persistent=False
        )

    def forward(self, images: Tensor) -> Tensor:
        """float32 [N, 1, 28, 28], 0 to 1 → float32 [N, directions · (28 / cell)²]."""
        # Roots make a dark garment's creases count like a bright one's.
        padded = functional.pad(images.sqrt(), (1, 1, 1, 1), mode="replicate")
        gradient = functional.conv2d(padded, self.derivatives)  # [N, 2, 28, 28]
        length = (gradient * gradient).sum(1, keepdim=True).sqrt()
        votes = functional.conv2d(torch.cat([gradient, length], 1), self.directions).relu()
        cells = functional.conv2d(
            votes, self.spread, stride=self.cell, padding=self.cell // 2, groups=len(self.spread)
        )  # [N, directions, 7, 7]
        total = cells.sum(1, keepdim=True) + self.floor
        return (cells / total).sqrt().flatten(1)
