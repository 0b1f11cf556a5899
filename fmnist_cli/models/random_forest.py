"""Random forest on raw pixels, its trees bounded so that the file stays small."""

from __future__ import annotations

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from fmnist_cli.models.features import PixelFeatures
from fmnist_cli.models.recipes import SklearnRecipe

# Types that a saved model may hold besides those skops knows to be harmless.
TRUSTED = (
    "fmnist_cli.models.features.PixelFeatures",
    "sklearn.tree._tree.Tree",
)

RECIPES = {
    "quick": SklearnRecipe({"trees": 50, "max_leaf_nodes": 1000}, samples=30_000),
    "standard": SklearnRecipe({"trees": 100}),
    "best": SklearnRecipe({"trees": 100}),
}


def build(
    seed: int, *, trees: int, max_leaf_nodes: int = 2000, max_features: float = 0.06
) -> Pipeline:
    """Unfitted pipeline: pixels uint8 [N, 28, 28] → probabilities [N, 10].

    Each tree sees all images, not a bootstrap sample of them: slightly better on
    validation, since the bound on leaves already keeps trees from fitting noise.
    """
    return make_pipeline(
        PixelFeatures(scale=1.0),
        RandomForestClassifier(
            trees,
            max_leaf_nodes=max_leaf_nodes,
            max_features=max_features,
            bootstrap=False,
            n_jobs=-1,
            random_state=seed,
        ),
    )
