"""One contract for all: each registry entry is fitted, exported and compared on its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from synthetic import data, images
from toypictures import write_pictures

from fmnist_cli.calibration import without_curve
from fmnist_cli.contract import ModelCard
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError, VerificationError
from fmnist_cli.export.run import export, verify, with_entry
from fmnist_cli.files import write_text
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.manifest import MANIFEST_FILE, Manifest
from fmnist_cli.models.registry import (
    REGISTRY,
    ModelSpec,
    PictureRecipe,
    SklearnRecipe,
    StackRecipe,
    TorchRecipe,
    get_spec,
)
from fmnist_cli.preprocess import from_frames
from fmnist_cli.training.job import Job
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import load_native
from fmnist_cli.training.run import train

# What keeps a model's fit tiny; a model not named here is fitted for one epoch.
TINY = {
    "logreg": SklearnRecipe({"max_iter": 20}),
    "svm": SklearnRecipe({"components": 10}),
    "random-forest": SklearnRecipe({"trees": 5, "max_leaf_nodes": 20}),
    "knn": SklearnRecipe({"components": 10}),
    "resnet": TorchRecipe(epochs=1, batch_size=50, muon=True),
    "photo": PictureRecipe(epochs=1, batch_size=4, folds=2, judged=2, made_up=0.25, nothing=0.25),
    "hybrid": StackRecipe(("cnn", "mlp", "svm", "knn")),
}
# All models; the one for photos with a small input, which takes a tenth of the time.
SPECS = {
    name: replace(spec, input=spec.input._replace(height=64, width=64))
    if spec.framework == "pictures"
    else spec
    for name, spec in REGISTRY.items()
}
SPLITS = {"test": images(100, seed=3), "validation": images(50, seed=2)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    pictures = write_pictures(tmp_path_factory.mktemp("pictures"), {"t-shirt": 5, "hat": 5})
    for spec in SPECS.values():
        learnt = data()
        if spec.framework == "pictures":
            learnt = learnt.with_pictures(pictures, spec.input)
        recipe = TINY.get(spec.name, TorchRecipe(epochs=1, batch_size=50, ema_decay=0.5))
        train(
            Job(spec, "quick", recipe, seed=0),
            learnt,
            folder / spec.name,
            device=torch.device("cpu"),
            resume=False,
            reporter=Reporter(),
        )
    return folder


@pytest.fixture(scope="module")
def exported(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    for spec in SPECS.values():
        export(spec, runs / spec.name, folder, SPLITS)
    return folder


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
class TestEveryModel:
    def test_agrees_with_the_native_model(
        self, spec: ModelSpec, runs: Path, exported: Path
    ) -> None:
        file = open_model(spec.name, exported)
        _, curve = without_curve(onnx.load_from_string(file.content))
        assert curve is not None
        # Weights stored in 16 bits round what a network for pictures says.
        atol = 0.05 if spec.framework == "pictures" else spec.atol
        native = load_native(spec, runs / spec.name)
        session = Session(file)
        for count in (1, 2, 33):
            pixels = from_frames(images(count, seed=9).pixels, spec.input)
            probabilities = session(pixels)
            assert probabilities.shape == (count, 10)
            assert probabilities.dtype == np.float32
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
            expected = curve(native.probabilities(pixels))
            np.testing.assert_allclose(probabilities, expected, atol=atol)

    def test_uses_standard_operators_and_carries_its_card(
        self, spec: ModelSpec, exported: Path
    ) -> None:
        model = onnx.load(exported / f"{spec.name}.onnx")
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx.ml"}
        assert not any(node.op_type in ("ZipMap", "Scan", "Loop") for node in model.graph.node)
        card = ModelCard.from_metadata({p.key: p.value for p in model.metadata_props})
        assert (card.name, card.title, card.class_names) == (spec.name, spec.title, CLASS_NAMES)
        assert card.data_checksum == "synthetic"
        assert card.input == spec.input
        metrics = Manifest.read(exported).models[spec.name].metrics
        assert card.test_accuracy == (metrics["test"]["accuracy"] if "test" in metrics else None)
        assert bool(card.novelty_limits) == (spec.framework == "pictures")

    def test_is_the_same_bytes_on_every_export(
        self, spec: ModelSpec, runs: Path, exported: Path, tmp_path: Path
    ) -> None:
        export(spec, runs / spec.name, tmp_path, SPLITS)
        again = (tmp_path / f"{spec.name}.onnx").read_bytes()
        assert again == (exported / f"{spec.name}.onnx").read_bytes()

    def test_names_no_place_of_this_machine(self, spec: ModelSpec, exported: Path) -> None:
        content = (exported / f"{spec.name}.onnx").read_bytes()
        assert str(Path.cwd()).encode() not in content
        assert b"site-packages" not in content


def test_the_manifest_keeps_registry_order_and_all_entries(exported: Path) -> None:
    manifest = Manifest.read(exported)
    assert list(manifest.models) == list(REGISTRY)
    for name, entry in manifest.models.items():
        assert entry.verification["label_agreement"] >= 0.999
        assert entry.verification["batch_sizes"] == [1, 2, 33]
        of_pictures = REGISTRY[name].framework == "pictures"
        split, count = ("cross-validation", 5) if of_pictures else ("test", 100)
        assert entry.metrics[split]["images"] == count
        assert entry.training["preset"] == "quick"
        assert entry.calibration is not None
        assert entry.calibration["images"] == (5 if of_pictures else 50)
        assert (exported / f"{name}.json").exists()


def test_re_exporting_one_model_leaves_the_others(exported: Path, tmp_path: Path) -> None:
    before = Manifest.read(exported)
    write_text(
        tmp_path / MANIFEST_FILE, with_entry(tmp_path, "cnn", before.models["cnn"]).to_json()
    )
    after = with_entry(tmp_path, "knn", before.models["knn"])
    assert list(after.models) == ["knn", "cnn"]


class TestVerify:
    pixels = images(100).pixels

    @staticmethod
    def native(pixels: np.ndarray) -> np.ndarray:
        rows = pixels.reshape(len(pixels), -1)[:, :10].astype(np.float32) + 1
        return rows / rows.sum(axis=1, keepdims=True)

    def fails(self, exported: object, match: str, atol: float = 1e-4) -> None:
        with pytest.raises(VerificationError, match=match):
            verify("m", self.native, exported, self.pixels, atol)  # type: ignore[arg-type]

    def test_an_equal_graph_passes(self) -> None:
        result = verify("m", self.native, self.native, self.pixels, 1e-6)
        assert (result.label_agreement, result.max_difference, result.images) == (1.0, 0.0, 100)

    def test_other_labels_fail(self) -> None:
        self.fails(lambda p: self.native(p)[:, ::-1], "disagrees with the native model")

    def test_a_small_drift_fails_beyond_the_tolerance(self) -> None:
        def drifted(pixels: np.ndarray) -> np.ndarray:
            return self.native(pixels) + np.float32(1e-3) * np.array([1, -1] * 5, np.float32)

        self.fails(drifted, "largest difference 1.0")

    def test_rows_that_do_not_sum_to_one_fail(self) -> None:
        self.fails(lambda p: self.native(p) * np.float32(0.9), "no probability distributions")

    def test_nan_on_either_side_fails(self) -> None:
        def broken(pixels: np.ndarray) -> np.ndarray:
            return np.full((len(pixels), 10), np.nan, np.float32)

        self.fails(broken, "no probability distributions")
        with pytest.raises(VerificationError, match="disagrees"):
            verify("m", broken, self.native, self.pixels, 1.0)

    def test_too_few_images_are_no_proof(self) -> None:
        with pytest.raises(VerificationError, match="too few"):
            verify("m", self.native, self.native, self.pixels[:32], 1e-4)

    def test_another_shape_fails(self) -> None:
        self.fails(lambda p: self.native(p)[:, :9], "the graph gives")

    def test_a_batch_size_with_another_result_fails(self) -> None:
        def frozen(pixels: np.ndarray) -> np.ndarray:
            return self.native(pixels if len(pixels) > 1 else 255 - pixels)

        self.fails(frozen, "batch of 1")


def test_a_graph_that_disagrees_is_not_written(runs: Path, tmp_path: Path) -> None:
    strict = ModelSpec("mlp", "MLP", "torch", "fmnist_cli.models.mlp", atol=-1.0)
    with pytest.raises(VerificationError, match="it was not written"):
        export(strict, runs / "mlp", tmp_path, SPLITS)
    assert not list(tmp_path.iterdir())


def test_a_run_of_another_model_is_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds a run of 'mlp', not of 'cnn'"):
        export(get_spec("cnn"), runs / "mlp", tmp_path, SPLITS)
