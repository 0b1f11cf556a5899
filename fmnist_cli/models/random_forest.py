"""Random forest, its trees bounded so that the file stays small."""

from __future__ import annotations

from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from fmnist_cli.models import features as inputs
from fmnist_cli.models.features import HogFeatures, PixelFeatures
from fmnist_cli.models.registry import SklearnRecipe, presets

# Types that a saved model may hold besides those skops knows to be harmless.
TRUSTED = (*inputs.TRUSTED, "sklearn.tree._tree.Tree")

VARIANTS = {
    "hog": presets(
        SklearnRecipe({"features": "hog", "trees": 30, "max_leaf_nodes": 500}, samples=10_000),
        SklearnRecipe({"features": "hog", "trees": 100}),
    ),
    "pixels": presets(
        SklearnRecipe({"features": "pixels", "trees": 50, "max_leaf_nodes": 1000}, samples=30_000),
        SklearnRecipe({"features": "pixels", "trees": 100}),
    ),
}
RECIPES = VARIANTS["hog"]

# Share of the features tried at each split.
_MAX_FEATURES = {"hog": 0.04, "pixels": 0.06}


def build(
    seed: int,
    *,
    trees: int,
    features: str = "hog",
    max_leaf_nodes: int = 2000,
    max_features: float | None = None,
) -> Pipeline:
    """Unfitted pipeline: pixels uint8 [N, 28, 28] → probabilities [N, 10].

    Each tree sees all images, not a bootstrap sample of them: slightly better on
    validation, since the bound on leaves already keeps trees from fitting noise.
    `max_features` is by default what suits the kind of `features`.
    """
    return make_pipeline(
        HogFeatures() if features == "hog" else PixelFeatures(scale=1.0),
        RandomForestClassifier(
            trees,
            max_leaf_nodes=max_leaf_nodes,
            max_features=max_features or _MAX_FEATURES[features],
            bootstrap=False,
            n_jobs=-1,
            random_state=seed,
        ),
    )
