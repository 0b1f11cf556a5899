"""Transformers in front of the classical models; each has its counterpart in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin

from fmnist_cli.contract import Labels, Pixels


class PixelFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """uint8 [N, 28, 28] → float32 [N, 784], multiplied by `scale`.

    Trees want ``scale=1``: whole numbers split alike in float32 and float64.
    """

    def __init__(self, scale: float = 1 / 255) -> None:
        self.scale = scale

    def fit(self, pixels: Pixels, labels: Labels | None = None) -> PixelFeatures:  # noqa: ARG002
        """Nothing to learn; present for the scikit-learn interface."""
        return self

    def transform(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """The flattened, scaled pixels, float32 [N, 784]."""
        flat = pixels.reshape(len(pixels), -1).astype(np.float32)
        return flat if self.scale == 1 else flat * np.float32(self.scale)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags
