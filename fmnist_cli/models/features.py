"""Transformers in front of the classical models; each has its counterpart in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA

from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.models.network import Hog

# For the ``TRUSTED`` of the models that use them.
TRUSTED = (
    "fmnist_cli.models.features.HogFeatures",
    "fmnist_cli.models.features.PixelFeatures",
    "fmnist_cli.models.features.TemperedPCA",
)


class _ImageFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A fixed function of the pixels."""

    def fit(self, pixels: Pixels, labels: Labels | None = None) -> _ImageFeatures:  # noqa: ARG002
        """Nothing to learn; present for the scikit-learn interface."""
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        return tags


class PixelFeatures(_ImageFeatures):
    """uint8 [N, 28, 28] → float32 [N, 784], multiplied by `scale`.

    Trees want ``scale=1``: whole numbers split alike in float32 and float64.
    """

    def __init__(self, scale: float = 1 / 255) -> None:
        self.scale = scale

    def transform(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        """The flattened, scaled pixels, float32 [N, 784]."""
        flat = pixels.reshape(len(pixels), -1).astype(np.float32)
        return flat if self.scale == 1 else flat * np.float32(self.scale)


class HogFeatures(_ImageFeatures):
    """uint8 [N, 28, 28] → float32 [N, D] by `Hog`, whose arguments it takes."""

    def __init__(
        self, directions: int = 16, cell: int = 4, sharpness: float = 0.9, floor: float = 0.2
    ) -> None:
        self.directions = directions
        self.cell = cell
        self.sharpness = sharpness
        self.floor = floor

    def network(self) -> Hog:
        """The computation itself."""
        return Hog(self.directions, self.cell, self.sharpness, self.floor)

    def transform(self, pixels: Pixels, chunk: int = 32) -> npt.NDArray[np.float32]:
        """Histograms float32 [N, D], of `chunk` images at a time: what fits the cache is faster."""
        network = self.network()
        features = np.empty((len(pixels), network.size), np.float32)
        with torch.inference_mode():
            for start in range(0, len(pixels), chunk):
                part = slice(start, start + chunk)
                images = torch.from_numpy(np.array(pixels[part], np.float32, order="C"))
                features[part] = network(images.unsqueeze(1) / 255).numpy()
        return features


class TemperedPCA(PCA):  # type: ignore[misc]
    """Principal components divided by a power of their variance.

    Distances are dominated by the few components that vary most, yet those that tell classes
    apart are often small. ``exponent`` 0 is PCA, 0.5 whitens and lets noise in; between them
    is better than both.
    """

    def __init__(self, n_components: int, exponent: float) -> None:
        super().__init__(n_components, svd_solver="covariance_eigh")
        self.exponent = exponent

    def scales(self) -> npt.NDArray[np.float32]:
        """The factor of each component, float32 [n_components]."""
        factors: npt.NDArray[np.float32] = (
            self.explained_variance_.astype(np.float64) ** -self.exponent
        ).astype(np.float32)
        return factors

    def transform(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """float32 [N, D] → float32 [N, n_components]."""
        components: npt.NDArray[np.float32] = super().transform(features) * self.scales()
        return components

    def fit_transform(
        self,
        features: npt.NDArray[np.float32],
        labels: Labels | None = None,  # noqa: ARG002
    ) -> npt.NDArray[np.float32]:
        """As `fit` and `transform`; PCA's own would skip the scales."""
        if len(features) < features.shape[1]:  # few images: their matrix is the smaller one
            self.svd_solver = "full"
        fitted: TemperedPCA = self.fit(features)
        return fitted.transform(features)
