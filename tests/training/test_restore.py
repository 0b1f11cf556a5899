"""A network read back from its graph computes what the graph computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import toypictures
from tinymodel import card_of, tiny_onnx

from fmnist_cli.calibration import with_curve, without_curve
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError
from fmnist_cli.export.convert import convert_torch
from fmnist_cli.export.graph import canonical, serialize
from fmnist_cli.inference.models import ModelFile, open_model, shipped_dir
from fmnist_cli.inference.session import Session
from fmnist_cli.models import resnet
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import REGISTRY
from fmnist_cli.training.restore import restore

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
NETWORKS = [name for name, spec in REGISTRY.items() if spec.framework == "torch"]


def largest_difference(classifier: PixelClassifier, file: ModelFile) -> float:
    """Between a network behind the curve of the file's graph and the graph."""
    with torch.inference_mode():
        ours = classifier(torch.from_numpy(PIXELS)).numpy()
    _, curve = without_curve(onnx.load_from_string(file.content))
    return float(np.abs((curve(ours) if curve else ours) - Session(file)(PIXELS)).max())


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("by_path", [False, True])
def test_shipped_networks_come_back(model: str, by_path: bool) -> None:
    path = shipped_dir() / f"{model}.onnx"
    file = open_model(str(path) if by_path else model)
    assert largest_difference(restore(file), file) < 1e-5


def test_what_came_back_exports_to_a_graph_that_says_the_same() -> None:
    file = open_model("cnn")
    _, curve = without_curve(onnx.load_from_string(file.content))
    assert curve is not None
    network = convert_torch(restore(file))
    content = serialize(canonical(with_curve(network, curve)), Session(file).card)
    again = ModelFile.of("cnn", Path("cnn.onnx"), content)
    np.testing.assert_allclose(Session(again)(PIXELS), Session(file)(PIXELS), atol=1e-6)


def test_a_file_alone_is_restored_by_the_recipe_of_its_preset(tmp_path: Path) -> None:
    torch.manual_seed(4)
    network = PixelClassifier(resnet.build()).eval()
    network.temperature.fill_(1.1)
    for parameter in network.parameters():
        if parameter.ndim == 1:  # normalisations that do something
            torch.nn.init.uniform_(parameter, 0.5, 1)
    content = serialize(convert_torch(network), card_of("resnet"))
    file = ModelFile.of("mine", tmp_path / "mine.onnx", content)
    assert largest_difference(restore(file), file) < 1e-5


def test_a_network_of_twelve_classes_comes_back() -> None:
    torch.manual_seed(2)
    network = PixelClassifier(REGISTRY["cnn"].load().build(12))
    network.logits(torch.from_numpy(PIXELS))  # statistics for its normalisations
    network.eval().temperature.fill_(1.1)
    names = (*CLASS_NAMES, "Hat", "Skirt")
    content = serialize(convert_torch(network), card_of("cnn", names))
    file = ModelFile.of("cnn", Path("somewhere/cnn.onnx"), content)
    assert largest_difference(restore(file), file) < 1e-5


def test_gradients_reach_the_first_layer() -> None:
    classifier = restore(open_model("cnn"))
    images = classifier.normalize(torch.from_numpy(PIXELS)).requires_grad_()
    classifier.network(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


@pytest.mark.parametrize("model", ["svm", "hybrid"])
def test_other_kinds_of_models_are_refused(model: str) -> None:
    with pytest.raises(ModelError, match="not exported from a PyTorch network"):
        restore(open_model(model))


def test_a_graph_with_the_card_of_a_network_is_refused_for_what_it_is() -> None:
    content, _ = tiny_onnx("cnn")
    with pytest.raises(ModelError, match=r"does not hold the weights.*fmnist export cnn"):
        restore(ModelFile.of("cnn", Path("somewhere/cnn.onnx"), content))


def test_a_network_of_another_shape_is_refused() -> None:
    file = open_model("resnet")
    entry = file.entry
    assert entry is not None
    training = {**entry.training, "recipe": {"params": {"width": 8}}}
    with pytest.raises(ModelError, match="shape"):
        restore(file._replace(entry=entry._replace(training=training)))


def test_a_network_that_computes_something_else_is_refused() -> None:
    graph = onnx.load_from_string(open_model("cnn").content)
    for node in graph.graph.node:
        if node.op_type == "Relu":
            node.op_type = "Tanh"
    changed = ModelFile.of("cnn", Path("somewhere/cnn.onnx"), graph.SerializeToString())
    with pytest.raises(ModelError, match="differ by"):
        restore(changed)


def test_a_colour_network_that_says_more_than_probabilities_comes_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    toypictures.register(monkeypatch)
    file = toypictures.file_of(toypictures.classifier(), tmp_path)
    pixels = toypictures.pictures(4)
    found = restore(file)
    with torch.inference_mode():
        ours = found(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(ours, Session(file)(pixels), atol=1e-5)
    assert np.ptp(ours, axis=0).max() > 1e-3  # the answer depends on the picture
