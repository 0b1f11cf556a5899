"""A network of the registry as it was trained, to be filled from its exported graph."""

from __future__ import annotations

from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import get_spec


def build(model: str) -> PixelClassifier:
    """The network called `model`, untrained, ready to predict as its best preset does."""
    module = get_spec(model).load()
    average = module.RECIPES["best"].mirror_average
    return PixelClassifier(module.build(), mirror_average=average).eval()
