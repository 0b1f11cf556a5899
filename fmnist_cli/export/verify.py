"""Deciding whether an exported graph may be written: it must agree with the native model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.errors import VerificationError

BATCH_SIZES = (1, 2, 33)
MIN_LABEL_AGREEMENT = 0.999


@dataclass(frozen=True, slots=True)
class Verification:
    """How an exported graph compares with its native model.

    Attributes:
        images: number of test images compared.
        label_agreement: share of images with the same most probable class.
        max_difference: largest ``|native - ONNX|`` over all probabilities.
        batch_sizes: batch sizes run besides the full one.
    """

    images: int
    label_agreement: float
    max_difference: float
    batch_sizes: tuple[int, ...] = BATCH_SIZES


def verify(
    name: str,
    native: Callable[[Pixels], Probabilities],
    exported: Callable[[Pixels], Probabilities],
    pixels: Pixels,
    atol: float,
) -> Verification:
    """Compare both models on real images.

    Args:
        name: model name, for the message.
        native: uint8 [N, 28, 28] → probabilities float32 [N, classes].
        exported: the same through ONNX Runtime.
        pixels: uint8 [N, 28, 28], N at least 33.
        atol: largest difference allowed in any probability.

    Raises:
        VerificationError: the labels or probabilities differ too much, the rows are no
            distributions, or a batch size gives another result.
    """
    if len(pixels) < max(BATCH_SIZES):
        raise VerificationError(
            f"{name}: {len(pixels)} test images are too few to verify a graph,"
            f" {max(BATCH_SIZES)} are needed; it was not written"
        )
    expected = native(pixels)
    actual = exported(pixels)
    if actual.shape != expected.shape or actual.dtype != np.float32:
        raise VerificationError(
            f"{name}: the graph gives {actual.dtype} {actual.shape},"
            f" the native model {expected.shape}; the graph was not written"
        )
    if not np.allclose(actual.sum(axis=1), 1, atol=1e-4) or not actual.min() >= 0:
        raise VerificationError(
            f"{name}: the graph's rows are no probability distributions; it was not written"
        )
    agreement = float(np.mean(expected.argmax(axis=1) == actual.argmax(axis=1)))
    difference = float(np.abs(expected - actual).max())
    if agreement < MIN_LABEL_AGREEMENT or not difference <= atol:  # not: NaN fails, too
        raise VerificationError(
            f"{name}: the exported graph disagrees with the native model on {len(pixels)} test"
            f" images: labels equal {agreement:.2%} (at least {MIN_LABEL_AGREEMENT:.1%} needed),"
            f" largest difference {difference:.2e} (at most {atol:.0e}); it was not written"
        )
    for size in BATCH_SIZES:
        if not np.allclose(exported(pixels[:size]), expected[:size], rtol=0, atol=atol):
            raise VerificationError(
                f"{name}: the graph gives another result for a batch of {size}; it was not written"
            )
    return Verification(len(pixels), agreement, difference)
