"""A residual network for frames like Fashion-MNIST's, beside one that learnt from photos."""

from __future__ import annotations

from torch import nn

from fmnist_cli.models import resnet

# Few steps: there are few photos, which a network soon knows by heart.
_RATES = {"learning_rate": 4e-3, "weight_decay": 0.05}
RECIPES = {
    "quick": resnet.tuning(epochs=1, start="resnet", photo_share=0.2, **_RATES),
    "standard": resnet.tuning(epochs=1, start="resnet", photo_share=0.6, **_RATES),
    "best": resnet.tuning(epochs=2, start="resnet", photo_share=0.6, **_RATES),
}


def build(classes: int = 10) -> nn.Module:
    """float32 [N, 1, 28, 28] → logits float32 [N, classes]."""
    return resnet.build(classes, gated=True)
