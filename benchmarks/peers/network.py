"""A network of the registry in the form that its exported graph has."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import get_spec


def build(model: str) -> PixelClassifier:
    """The network called `model`, untrained, ready to predict.

    Exported convolutions contain the normalisation behind them. So do these: each has a
    bias instead, which also is faster than the network as it was trained.
    """
    network = get_spec(model).load().build()
    for parent in list(network.modules()):
        for (_, layer), (name, following) in pairwise(list(parent.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
                setattr(parent, name, nn.Identity())
    return PixelClassifier(network).eval()
