"""Multinomial logistic regression on raw pixels."""

from __future__ import annotations

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from fmnist_cli.models.features import PixelFeatures
from fmnist_cli.models.recipes import SklearnRecipe

# Types that a saved model may hold besides those skops knows to be harmless.
TRUSTED = ("fmnist_cli.models.features.PixelFeatures",)

RECIPES = {
    "quick": SklearnRecipe({"max_iter": 40}, samples=20_000),
    "standard": SklearnRecipe({"max_iter": 200}),
    "best": SklearnRecipe({"max_iter": 1000}),
}


def build(seed: int, *, max_iter: int, c: float = 0.5) -> Pipeline:
    """Unfitted pipeline: pixels uint8 [N, 28, 28] → probabilities [N, 10]."""
    return make_pipeline(
        PixelFeatures(), LogisticRegression(C=c, max_iter=max_iter, random_state=seed)
    )
