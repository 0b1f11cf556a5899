"""What Fashion-MNIST is to a model: images to be measured on, or none of its business."""

from __future__ import annotations

from fmnist_cli.contract import FRAME_SPEC, ModelCard, knows_fashion_mnist


def of_data_set(card: ModelCard) -> bool:
    """Whether a model takes the images of Fashion-MNIST as they are, and has its classes.

    Others are measured on pictures of their own, by ``fmnist evaluate --data``.
    """
    known = knows_fashion_mnist(card.class_names)
    return known and card.input is not None and card.input.shape == FRAME_SPEC.shape
