"""k-nearest neighbours on principal components, votes weighted by inverse distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from fmnist_cli.contract import Labels
from fmnist_cli.models import features as inputs
from fmnist_cli.models.features import HogFeatures, PixelFeatures, TemperedPCA
from fmnist_cli.models.registry import SklearnRecipe, presets


class HalfNeighbors(KNeighborsClassifier):  # type: ignore[misc]
    """Keeps the training points as float16 can hold them: half the file, the same accuracy.

    Rounded here and not by the exporter, so that both search among the same points.
    """

    def fit(self, features: Any, labels: Labels) -> HalfNeighbors:
        """Remember features [N, D], rounded, and labels [N]."""
        super().fit(np.asarray(features, np.float16).astype(np.float32), labels)
        return self


# Types that a saved model may hold besides those skops knows to be harmless.
TRUSTED = (*inputs.TRUSTED, "fmnist_cli.models.knn.HalfNeighbors")

VARIANTS = {
    features: presets(
        SklearnRecipe({"features": features}, samples=20_000), SklearnRecipe({"features": features})
    )
    for features in ("hog", "pixels")
}
RECIPES = VARIANTS["hog"]


def build(
    seed: int, *, features: str = "hog", components: int | None = None, neighbors: int = 8
) -> Pipeline:
    """Unfitted pipeline: pixels uint8 [N, 28, 28] → probabilities [N, 10].

    `seed` is unused: the model has no randomness. `components` is by default what was best
    for the kind of `features`.
    """
    del seed
    if features == "hog":
        return make_pipeline(
            HogFeatures(),
            TemperedPCA(components or 64, exponent=0.25),
            HalfNeighbors(neighbors, weights="distance", algorithm="brute"),
        )
    return make_pipeline(
        PixelFeatures(),
        PCA(components or 64, svd_solver="covariance_eigh"),
        KNeighborsClassifier(neighbors, weights="distance", algorithm="brute"),
    )
