"""Two like networks and a gate: one for frames like Fashion-MNIST's, one for all others.

A network that is trained on with other pictures forgets some of what it knew, so the one that it
started from stays beside it, unchanged. The gate sees the frame and says how far each is to be
trusted (a mixture of experts, Jacobs et al. 1991).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Gated(nn.Module):
    """float32 [N, 1, 28, 28] → logarithms of probabilities, float32 [N, classes].

    Attributes:
        known: as it starts, never trained on.
        trained: starts as the same network and is trained on.
        gate: float32 [N, 1, 28, 28] → logit of the share of `trained`, float32 [N, 1].
    """

    def __init__(self, known: nn.Module, trained: nn.Module, gate: nn.Module) -> None:
        super().__init__()
        self.known = known
        self.trained = trained
        self.gate = gate

    def forward(self, images: Tensor) -> Tensor:
        """The mixture of what both networks say."""
        return mixed(self.known(images), self.trained(images), self.gate(images))


def mixed(known: Tensor, trained: Tensor, gate: Tensor) -> Tensor:
    """Logarithms of the mixture's probabilities.

    Args:
        known: logits float32 [N, classes].
        trained: logits float32 [N, classes].
        gate: float32 [N, 1], the logit of the share of `trained`.
    """
    shares = functional.log_softmax(functional.pad(gate, (1, 0)), dim=1)  # of known, of trained
    first = functional.log_softmax(known, dim=1) + shares[:, :1]
    second = functional.log_softmax(trained, dim=1) + shares[:, 1:]
    # log(eᵃ + eᵇ) = max(a, b) - log softmax(a, b) of the larger. ONNX Runtime does softmaxes row by
    # row, but a Softplus in vectors over the whole batch, whose last values are rounded otherwise:
    # what a row says would depend on its place.
    parts = torch.stack([first, second], dim=-1)
    return parts.amax(dim=-1) - functional.log_softmax(parts, dim=-1).amax(dim=-1)


def build_gate(width: int = 32) -> nn.Module:
    """float32 [N, 1, 28, 28] → float32 [N, 1]; three million multiply-adds."""
    return nn.Sequential(
        nn.PixelUnshuffle(2),  # [N, 4, 14, 14]
        nn.Conv2d(4, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),  # [N, 2·width, 7, 7]
        nn.ReLU(inplace=True),
        nn.Conv2d(2 * width, 2 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, 1),
    )
