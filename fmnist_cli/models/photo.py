"""The colour model: EfficientNet-Lite0 on the photo itself, and a row that means "none of these".

The first rows of its head are ImageNet's own, where ImageNet has such a class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from fmnist_cli.models.efficientnet_lite import FEATURES, build_backbone, load_imagenet
from fmnist_cli.models.network import PictureNetwork
from fmnist_cli.models.recipes import PictureRecipe

RECIPES = {
    "quick": PictureRecipe(epochs=1),
    "standard": PictureRecipe(epochs=4),
    "best": PictureRecipe(epochs=8),
}

# ImageNet's classes that are, or come near to, ours: jersey, jean, sweatshirt, cardigan, gown,
# trench coat, fur coat, sandal, pajama, suit, running shoe, backpack, mailbag, purse, cowboy boot.
IMAGENET: Mapping[str, tuple[int, ...]] = {
    "T-shirt/top": (610,),
    "Trouser": (608,),
    "Pullover": (841, 474),
    "Dress": (578,),
    "Coat": (869, 568),
    "Sandal": (774,),
    "Shirt": (697, 834),
    "Sneaker": (770,),
    "Bag": (414, 636, 748),
    "Ankle boot": (514,),
}
_NONE = (515, 808, 655, 689)  # cowboy hat, sombrero, miniskirt, overskirt


def build(classes: int = 10) -> PictureNetwork:
    """The network with random weights."""
    return PictureNetwork(build_backbone(), FEATURES, classes)


@torch.no_grad()
def start(
    network: PictureNetwork, class_names: Sequence[str]
) -> tuple[nn.Linear, Mapping[int, tuple[int, ...]]]:
    """Give `network` the weights of ImageNet, in place.

    Returns:
        ImageNet's own head, float32 [N, 1280] → logits float32 [N, 1000]; and which of its columns
        mean the same as a class of ours.

    Raises:
        TrainingError: they are not installed.
    """
    weight, bias = load_imagenet(network.backbone)
    network.head.weight.zero_()
    network.head.bias.zero_()
    for row, name in enumerate([*class_names, None]):
        near = list(IMAGENET.get(name, ()) if name is not None else _NONE)
        if near:
            network.head.weight[row] = weight[near].mean(dim=0)
            network.head.bias[row] = bias[near].mean()
    head = nn.Linear(FEATURES, len(weight))
    head.weight.copy_(weight)
    head.bias.copy_(bias)
    like = {at: IMAGENET[name] for at, name in enumerate(class_names) if name in IMAGENET}
    return head, like
