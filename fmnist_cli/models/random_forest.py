"""Random forest on raw pixels, its trees bounded so that the file stays small."""

from __future__ import annotations

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from fmnist_cli.models.features import PixelFeatures
from fmnist_cli.models.recipes import SklearnRecipe

RECIPES = {
    "quick": SklearnRecipe({"trees": 50, "max_leaf_nodes": 1000}, samples=30_000),
    "standard": SklearnRecipe({"trees": 100}),
    "best": SklearnRecipe({"trees": 100}),
}


def build(
    seed: int, *, trees: int, max_leaf_nodes: int = 2000, max_features: float = 0.1
) -> Pipeline:
    """Unfitted pipeline: pixels uint8 [N, 28, 28] → probabilities [N, 10]."""
    return make_pipeline(
        PixelFeatures(scale=1.0),
        RandomForestClassifier(
            trees,
            max_leaf_nodes=max_leaf_nodes,
            max_features=max_features,
            n_jobs=-1,
            random_state=seed,
        ),
    )
