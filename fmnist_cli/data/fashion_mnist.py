"""What Fashion-MNIST is: 28×28 grey pictures of ten classes; and which models are for it."""

from __future__ import annotations

from collections.abc import Sequence

from fmnist_cli.contract import InputSpec, ModelCard

SIDE = 28

CLASS_NAMES: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# What models of Fashion-MNIST's own frames want.
FRAME_SPEC = InputSpec(SIDE, SIDE, "grey", "auto")


def knows_fashion_mnist(class_names: Sequence[str]) -> bool:
    """Whether a model's first classes are Fashion-MNIST's, so that it can be measured on that."""
    return tuple(class_names[: len(CLASS_NAMES)]) == CLASS_NAMES


def of_data_set(card: ModelCard) -> bool:
    """Whether a model takes the images of Fashion-MNIST as they are, and has its classes.

    Others are measured on pictures of their own, by ``fmnist evaluate --data``.
    """
    known = knows_fashion_mnist(card.class_names)
    return known and card.input is not None and card.input.shape == FRAME_SPEC.shape
