"""Training on from an exported network: the same function first, then another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from process import RunFmnist
from synthetic import images, write_files

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import TrainingError
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import get_spec
from fmnist_cli.training.parents import Start, begin
from fmnist_cli.training.record import TrainingRecord

PIXELS = images(60).pixels


def logits(model: PixelClassifier) -> np.ndarray:
    with torch.inference_mode():
        return model.eval().logits(torch.tensor(PIXELS)).numpy()


def test_a_network_begins_as_what_it_starts_from_and_can_be_trained() -> None:
    start = Start.of("cnn")
    expected = logits(start.model)
    network = get_spec("cnn").load().build(10)
    begin(network, start, CLASS_NAMES, PIXELS)
    ours = PixelClassifier(network, float(start.model.mean), float(start.model.std))
    np.testing.assert_allclose(logits(ours), expected, atol=1e-3)
    # Normalisations have statistics of their own again: a batch that they are taken of gives
    # nearly the same while training.
    with torch.no_grad():
        trained = ours.train().logits(torch.tensor(PIXELS)).numpy()
    np.testing.assert_allclose(trained, expected, atol=1e-2)


def test_classes_are_matched_by_name() -> None:
    start = Start.of("cnn")
    names = ("Hat", CLASS_NAMES[9], CLASS_NAMES[0])
    network = get_spec("cnn").load().build(3)
    begin(network, start, names, PIXELS)
    ours = PixelClassifier(network, float(start.model.mean), float(start.model.std))
    np.testing.assert_allclose(logits(ours)[:, 1:], logits(start.model)[:, [9, 0]], atol=1e-3)


def test_other_layers_are_refused() -> None:
    with pytest.raises(TrainingError, match="a model of the same kind"):
        begin(get_spec("cnn").load().build(10), Start.of("mlp"), CLASS_NAMES, PIXELS)


def test_train_init(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = write_files(tmp_path / "data", 240, 40)
    options = ("--preset", "quick", "--runs-dir", tmp_path, "--data-dir", data)
    spec = get_spec("mlp")
    done = run_fmnist("train", "mlp", "--init", "mlp", "--teacher", "cnn", *options)
    assert done.code == 0, done.stderr
    record = TrainingRecord.read(tmp_path / "mlp")
    start, teacher = record.parents
    assert (start["model"], start["sha256"]) == ("mlp", Start.of("mlp").identity["sha256"])
    assert teacher["model"] == "cnn"
    assert record.recipe["epochs"] == spec.load().FINE_TUNING.epochs
    refused = run_fmnist("train", "knn", "--init", "mlp", *options)
    assert (refused.code, "knn is no network" in refused.stderr) == (2, True)


def test_a_hybrid_of_exported_models(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = write_files(tmp_path / "data", 240, 40)
    options = ("--runs-dir", tmp_path / "runs", "--data-dir", data)
    done = run_fmnist("train", "hybrid", "--teacher", "cnn", "--teacher", "logreg", *options)
    assert done.code == 0, done.stderr
    record = TrainingRecord.read(tmp_path / "runs" / "hybrid")
    assert [parent["model"] for parent in record.parents] == ["cnn", "logreg"]
    done = run_fmnist("export", "hybrid", "-o", tmp_path / "out", *options)
    assert done.code == 0, done.stderr
    assert "labels equal 100.00%" in done.stderr
