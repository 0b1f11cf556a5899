"""Class activation maps: formulas, layers, and nothing left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import toypictures
from synthetic import images
from torch import nn

from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.explain.cam import (
    METHODS,
    choose_layers,
    gradcam,
    gradcam_pp,
    heatmaps,
    hirescam,
    layercam,
    layers_of,
)
from fmnist_cli.models.mlp import build as build_mlp
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import REGISTRY

PIXELS = images(12).pixels
SHAPE = PIXELS.shape[1:]
TARGETS = np.arange(12, dtype=np.int64) % 10


def linear_head() -> PixelClassifier:
    """Planes → mean over places → linear: a network whose evidence is known place by place."""
    torch.manual_seed(5)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 10),
    )
    return PixelClassifier(network).eval()


def test_methods_on_numbers_done_by_hand() -> None:
    activations = torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]])  # [1, 2, 1, 2]
    gradients = torch.tensor([[[[1.0, -3.0]], [[2.0, 0.0]]]])
    assert gradcam(activations, gradients).tolist() == [[[-1 + 3, -2 + 0]]]
    assert hirescam(activations, gradients).tolist() == [[[1 + 6, -6 + 0]]]
    assert layercam(activations, gradients).tolist() == [[[1 + 6, 0]]]
    # Weights: 1/(2·1 + 3·1)·1 of the first plane, 4/(2·4 + 3·8)·2 of the second.
    expected = [0.2 * 1 + 0.25 * 3, 0.2 * 2]
    assert gradcam_pp(activations, gradients).ravel().tolist() == pytest.approx(expected, rel=1e-5)


def test_small_gradients_weigh_as_large_ones() -> None:
    activations = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    gradients = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    # Of a score a millionth as large in units a million times as large: the map is the same.
    small = gradcam_pp(activations * 1e6, gradients / 1e6)
    torch.testing.assert_close(small, gradcam_pp(activations, gradients))


def test_with_a_linear_head_maps_are_the_evidence_itself() -> None:
    # Then Grad-CAM, HiResCAM and CAM (Zhou et al. 2016) are one and the same.
    classifier = linear_head()
    layers = choose_layers(layers_of(classifier, SHAPE))
    with torch.inference_mode():
        first, nonlinearity, *_, head = classifier.network.children()
        planes = nonlinearity(first(classifier.normalize(torch.from_numpy(PIXELS.copy()))))
        weight = head.weight[torch.from_numpy(TARGETS)]
        evidence = torch.relu((weight[:, :, None, None] * planes).sum(dim=1, keepdim=True))
        enlarged = nn.functional.interpolate(evidence, size=(28, 28), mode="bilinear")[:, 0].numpy()
    most = enlarged.max(axis=(1, 2), keepdims=True)
    assert 0 < (most > 0).sum() < len(most)  # some have no evidence for their class at all
    expected = enlarged / np.where(most > 0, most, 1)
    for method in ("gradcam", "hirescam"):
        found = heatmaps(classifier, PIXELS, TARGETS, method, layers)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_maps_are_of_each_image_whatever_the_batch(cnn: PixelClassifier, method: str) -> None:
    layers = choose_layers(layers_of(cnn, SHAPE))
    together = heatmaps(cnn, PIXELS, TARGETS, method, layers)
    assert together.shape == PIXELS.shape
    assert together.dtype == np.float32
    assert together.min() >= 0
    most = together.max(axis=(1, 2))
    assert set(np.round(most, 5).tolist()) <= {0.0, 1.0}
    assert most.any()
    for position in (0, 7):
        one = slice(position, position + 1)
        alone = heatmaps(cnn, PIXELS[one], TARGETS[one], method, layers)
        np.testing.assert_allclose(alone[0], together[position], atol=1e-4)


def test_maps_are_of_the_class_that_is_asked_for(cnn: PixelClassifier) -> None:
    layers = choose_layers(layers_of(cnn, SHAPE))
    first = heatmaps(cnn, PIXELS, TARGETS, "hirescam", layers)
    other = heatmaps(cnn, PIXELS, (TARGETS + 1) % 10, "hirescam", layers)
    assert np.abs(first - other).max() > 0.5


def test_nothing_is_left_in_the_network(cnn: PixelClassifier) -> None:
    before = {name: value.clone() for name, value in cnn.state_dict().items()}
    layers = choose_layers(layers_of(cnn, SHAPE))
    for _ in range(3):
        heatmaps(cnn, PIXELS, TARGETS, "gradcam", layers)
    for module in cnn.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks
    assert all(parameter.grad is None for parameter in cnn.parameters())
    assert all(torch.equal(before[name], value) for name, value in cnn.state_dict().items())


def test_no_images_give_no_maps(cnn: PixelClassifier) -> None:
    layers = choose_layers(layers_of(cnn, SHAPE))
    assert heatmaps(cnn, PIXELS[:0], TARGETS[:0], "gradcam", layers).shape == (0, 28, 28)


@pytest.mark.parametrize("model", ["cnn", "resnet"])
def test_the_default_spans_every_convolutional_network(model: str) -> None:
    layers = layers_of(PixelClassifier(REGISTRY[model].load().build()).eval(), SHAPE)
    stages = choose_layers(layers)
    assert len(stages) >= 3
    sides = [layer.height for layer in stages]
    assert sides == sorted(sides, reverse=True)
    assert sides[0] >= 14
    for side in set(sides):
        last = [layer for layer in layers if layer.height == side][-1]
        assert stages[len(sides) - 1 - sides[::-1].index(side)] is last
        assert choose_layers(layers, f"{side}x{side}") == (last,)
    names = "+".join(layer.name for layer in stages)
    assert choose_layers(layers, names) == stages


def test_stages_are_blocks_and_runs_with_weights() -> None:
    network = nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(4, 8, 3, padding=1),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Dropout(0.1)),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        nn.Sequential(nn.Conv2d(8, 8, 3, stride=2), nn.ReLU()),  # 3×3: too coarse
        nn.Flatten(),
        nn.Linear(72, 10),
    )
    layers = layers_of(PixelClassifier(network).eval(), SHAPE)
    assert [layer.name for layer in choose_layers(layers)] == ["2", "3", "6"]
    assert [layer.height for layer in choose_layers(layers, "stages+3x3")] == [14, 14, 7, 3]


def test_modules_that_are_called_twice_are_no_choice() -> None:
    layers = layers_of(PixelClassifier(REGISTRY["resnet"].load().build()).eval(), SHAPE)
    names = [layer.name for layer in layers]
    assert "4.0.conv1" in names
    assert "4.0.relu" not in names  # one module behind both convolutions


def test_a_wrong_layer_lists_the_right_ones(cnn: PixelClassifier) -> None:
    with pytest.raises(UsageError, match=r"called 'layer4'; choose from stages, 14x14, 7x7"):
        choose_layers(layers_of(cnn, SHAPE), "7x7+layer4")


def test_a_network_without_planes_is_refused() -> None:
    mlp = PixelClassifier(build_mlp()).eval()
    with pytest.raises(ModelError, match="no class activation map"):
        choose_layers(layers_of(mlp, SHAPE))


def test_maps_of_a_colour_network_are_as_large_as_its_pictures() -> None:
    network = toypictures.classifier()
    layers = choose_layers(layers_of(network, toypictures.INPUT.shape))
    # The backbone pools its planes away, so its blocks are the top.
    assert [layer.name for layer in layers] == ["backbone.0", "backbone.1"]
    assert [layer.size for layer in layers] == ["24x32", "12x16"]
    pixels, targets = toypictures.pictures(3), np.array([0, 1, 2])
    maps = heatmaps(network, pixels, targets, "layercam", layers)
    assert maps.shape == (3, 48, 64)
    assert maps.max() == 1
    alone = heatmaps(network, pixels[1:2], targets[1:2], "layercam", layers)
    np.testing.assert_allclose(alone[0], maps[1], atol=1e-4)
