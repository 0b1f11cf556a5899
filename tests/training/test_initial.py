"""Training on from an exported network: the same function first, then another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from process import RunFmnist
from synthetic import images, write_files

from fmnist_cli.contract import CLASS_NAMES
from fmnist_cli.errors import TrainingError
from fmnist_cli.models.gated import Gated
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import get_spec
from fmnist_cli.training.frameworks import load_native
from fmnist_cli.training.initial import Start, begin
from fmnist_cli.training.native import TorchModel
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
        begin(get_spec("cnn").load().build(10), Start.of("resnet"), CLASS_NAMES, PIXELS)


def test_train_init(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = write_files(tmp_path / "data", 240, 40)
    options = ("--preset", "quick", "--runs-dir", tmp_path, "--data-dir", data)
    done = run_fmnist("train", "wild", "--init", "resnet", *options)
    assert done.code == 0, done.stderr
    record = TrainingRecord.read(tmp_path / "wild")
    (parent,) = record.parents
    assert (parent["model"], parent["sha256"]) == ("resnet", Start.of("resnet").identity["sha256"])
    assert record.recipe["start"] is None
    refused = run_fmnist("train", "mlp", "--init", "mlp", *options)
    assert (refused.code, "resnet and wild can" in refused.stderr) == (2, True)
    missing = run_fmnist("train", "wild", *options, "--runs-dir", tmp_path / "empty")
    assert (missing.code, "fmnist train resnet" in missing.stderr) == (1, True)


def test_a_resnet_that_is_trained_on_keeps_what_it_knew(
    run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    data = write_files(tmp_path / "data", 240, 40)
    options = ("--runs-dir", tmp_path, "--data-dir", data)
    assert run_fmnist("train", "resnet", "--preset", "quick", *options).code == 0
    to = ("-o", tmp_path / "first", "--runs-dir", tmp_path)
    exported = run_fmnist("export", "resnet", *to, "--data-dir", data)
    assert exported.code == 0, exported.stderr
    first = tmp_path / "first" / "resnet.onnx"
    done = run_fmnist("train", "resnet", "--init", first, "--preset", "quick", *options)
    assert done.code == 0, done.stderr
    record = TrainingRecord.read(tmp_path / "resnet")
    assert (record.recipe["params"], record.recipe["mirror_average"]) == ({"gated": True}, False)
    both = load_native(get_spec("resnet"), tmp_path / "resnet")
    assert isinstance(both, TorchModel)
    network = both.network.network
    assert isinstance(network, Gated)
    mean, std = float(both.network.mean), float(both.network.std)
    known, trained = (
        logits(PixelClassifier(part, mean, std)) for part in (network.known, network.trained)
    )
    np.testing.assert_allclose(known, logits(Start.of(str(first)).model), atol=1e-3)
    assert np.abs(known - trained).max() > 0.1
