"""The residual network for pictures that are no shop's: trained on with photos.

It starts from ``resnet`` and goes on with views that look like prepared photos and, with
``--photos``, prepared photos themselves.
"""

from __future__ import annotations

from fmnist_cli.models.recipes import TorchRecipe
from fmnist_cli.models.resnet import build
from fmnist_cli.models.resnet import tuning as _tuning

__all__ = ["RECIPES", "build"]

RECIPES = {
    "quick": _tuning(epochs=1, start="resnet", photo_share=0.2),
    "standard": _tuning(epochs=3, start="resnet", photo_share=0.2),
    "best": _tuning(epochs=6, start="resnet", photo_share=0.2),
}

FINE_TUNING: TorchRecipe = RECIPES["best"]
