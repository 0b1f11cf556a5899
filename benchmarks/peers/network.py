"""A network of the registry as it was trained, to be filled from its exported graph."""

from __future__ import annotations

from fmnist_cli.inference.models import shipped_dir
from fmnist_cli.manifest import Manifest
from fmnist_cli.models.network import PictureClassifier, PixelClassifier
from fmnist_cli.models.registry import get_spec


def build(model: str) -> PixelClassifier:
    """The network called `model`, untrained, ready to predict as the shipped one does."""
    recipe = Manifest.read(shipped_dir()).models[model].training["recipe"]
    spec = get_spec(model)
    network = spec.load().build(**recipe.get("params", {}))
    if spec.framework == "pictures":
        return PictureClassifier(network, spec.input.shape).eval()
    return PixelClassifier(network).eval()
