"""Models with several kinds of input: each kind builds, fits, is saved and is exported."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime as ort
import pytest
import torch
from synthetic import data

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME
from fmnist_cli.export.convert import convert_torch
from fmnist_cli.export.sklearn_export import convert_sklearn_pipeline
from fmnist_cli.models import knn, logreg, mlp, random_forest, svm
from fmnist_cli.models.features import HogFeatures, TemperedPCA
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import REGISTRY, Preset
from fmnist_cli.training.record import load_pipeline, save_pipeline

SPLITS = data()
CLASSICAL = {
    logreg: {"max_iter": 60},
    svm: {"components": 10},
    knn: {"components": 10},
    random_forest: {"trees": 5, "max_leaf_nodes": 20},
}
KINDS = ("hog", "pixels")
ATOL = {spec.load(): spec.atol for spec in REGISTRY.values() if spec.framework == "sklearn"}


@pytest.mark.parametrize("module", [*CLASSICAL, mlp], ids=lambda m: m.__name__.split(".")[-1])
def test_every_kind_has_every_preset_and_says_its_features(module: object) -> None:
    variants = module.VARIANTS  # type: ignore[attr-defined]
    assert set(variants) == set(KINDS)
    assert any(module.RECIPES is recipes for recipes in variants.values())  # type: ignore[attr-defined]
    for kind, recipes in variants.items():
        assert set(recipes) == set(get_args(Preset))
        for recipe in recipes.values():
            assert recipe.params.get("features", "pixels") == kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("module", CLASSICAL, ids=lambda m: m.__name__.split(".")[-1])
def test_a_classical_model_learns_is_saved_and_exported(
    module: object, kind: str, tmp_path: Path
) -> None:
    pipeline = module.build(0, features=kind, **CLASSICAL[module])  # type: ignore[attr-defined, index]
    pipeline.fit(SPLITS.train.pixels, SPLITS.train.labels)
    save_pipeline(tmp_path / "model.skops", pipeline)
    loaded = load_pipeline(tmp_path / "model.skops", module.TRUSTED)  # type: ignore[attr-defined]
    pixels = SPLITS.validation.pixels
    native = loaded.predict_proba(pixels)
    np.testing.assert_array_equal(native, pipeline.predict_proba(pixels))
    assert (native.argmax(axis=1) == SPLITS.validation.labels).mean() > 0.8

    graph = convert_sklearn_pipeline(loaded).SerializeToString()
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for count in (1, 2, 33):
        (exported,) = session.run([OUTPUT_NAME], {INPUT_NAME: pixels[:count]})
        np.testing.assert_allclose(exported, native[:count], atol=ATOL[module])


@pytest.mark.parametrize("kind", KINDS)
def test_the_perceptron_is_exported(kind: str) -> None:
    torch.manual_seed(0)
    network = PixelClassifier(mlp.build(features=kind)).eval()
    pixels = SPLITS.validation.pixels[:33]
    with torch.inference_mode():
        native = network(torch.tensor(pixels)).numpy()
    graph = convert_torch(network).SerializeToString()
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for count in (1, 2, 33):
        (exported,) = session.run([OUTPUT_NAME], {INPUT_NAME: pixels[:count]})
        np.testing.assert_allclose(exported, native[:count], atol=1e-5)


def test_tempered_components_between_pca_and_whitening() -> None:
    features = HogFeatures().transform(SPLITS.train.pixels)
    plain, tempered, white = (
        TemperedPCA(8, exponent=exponent).fit_transform(features).astype(np.float64).std(axis=0)
        for exponent in (0, 0.25, 0.5)
    )
    np.testing.assert_allclose(tempered, np.sqrt(plain), rtol=1e-2)
    np.testing.assert_allclose(white, 1, rtol=1e-2)


def test_half_precision_neighbours_are_what_float16_holds() -> None:
    points = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    model = knn.HalfNeighbors(3).fit(points, np.arange(50) % 10)
    np.testing.assert_array_equal(model._fit_X, points.astype(np.float16).astype(np.float32))
