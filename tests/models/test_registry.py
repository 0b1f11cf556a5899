"""The registry is complete: every entry builds, under every preset."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
import torch
from torch import nn

from fmnist_cli.errors import UsageError
from fmnist_cli.models.registry import (
    REGISTRY,
    ModelSpec,
    PictureRecipe,
    Preset,
    SklearnRecipe,
    StackRecipe,
    TorchRecipe,
    get_spec,
)

SPECS = list(REGISTRY.values())


def test_the_models_are_there() -> None:
    names = "logreg svm random-forest knn mlp cnn resnet photo hybrid"
    assert list(REGISTRY) == names.split()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_preset_builds(spec: ModelSpec) -> None:
    module = spec.load()
    assert set(module.RECIPES) == set(get_args(Preset))
    for recipe in module.RECIPES.values():
        if spec.framework == "torch":
            assert isinstance(recipe, TorchRecipe)
            logits = module.build(**recipe.params)(torch.zeros(2, 1, 28, 28))
            assert logits.shape == (2, 10)
        elif spec.framework == "pictures":
            assert isinstance(recipe, PictureRecipe)
            assert recipe.judged <= recipe.folds
            logits, features = module.build()(torch.zeros(2, 3, 64, 64))
            assert logits.shape == (2, 11)
            assert features.shape == (2, module.FEATURES)
        elif spec.framework == "stack":
            assert isinstance(recipe, StackRecipe)
            assert set(recipe.members) < set(REGISTRY) - {spec.name}
        else:
            assert isinstance(recipe, SklearnRecipe)
            assert hasattr(module.build(0, **recipe.params), "fit")


def multiply_adds(network: nn.Module) -> int:
    """Multiply-adds of convolutions and linear layers for one image."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        total += output.numel() * weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    network.eval()(torch.zeros(1, 1, 28, 28))
    return total


def test_cnn_stays_small() -> None:
    network = get_spec("cnn").load().build()
    assert multiply_adds(network) <= 3_000_000
    assert sum(p.numel() for p in network.parameters()) <= 100_000


def test_resnet_blocks_start_as_the_identity() -> None:
    network = get_spec("resnet").load().build().eval()
    block = network[4][1]
    features = torch.rand(1, 40, 14, 14)
    assert torch.equal(block(features), features)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no model called 'vgg'; choose from logreg, svm"):
        get_spec("vgg")


def test_the_registry_loads_no_training_library() -> None:
    code = "import sys, fmnist_cli.models.registry;print({'torch', 'sklearn'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
