"""k-nearest neighbours on principal components, votes weighted by inverse distance."""

from __future__ import annotations

from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from fmnist_cli.models.features import PixelFeatures
from fmnist_cli.models.recipes import SklearnRecipe

# Types that a saved model may hold besides those skops knows to be harmless.
TRUSTED = ("fmnist_cli.models.features.PixelFeatures",)

RECIPES = {
    "quick": SklearnRecipe({}, samples=20_000),
    "standard": SklearnRecipe({}),
    "best": SklearnRecipe({}),
}


def build(seed: int, *, components: int = 64, neighbors: int = 8) -> Pipeline:
    """Unfitted pipeline: pixels uint8 [N, 28, 28] → probabilities [N, 10].

    `seed` is unused: the model has no randomness.
    """
    del seed
    return make_pipeline(
        PixelFeatures(),
        PCA(components, svd_solver="covariance_eigh"),
        KNeighborsClassifier(neighbors, weights="distance", algorithm="brute"),
    )
