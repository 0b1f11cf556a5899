"""The histograms: against their definition, in the graph, and what they do not depend on."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime as ort
import pytest
from sklearn.base import clone
from synthetic import images

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME
from fmnist_cli.export.graph import GraphBuilder
from fmnist_cli.export.sklearn_export import hog_features
from fmnist_cli.models.features import HogFeatures

VARIANTS = [HogFeatures(), HogFeatures(directions=9, cell=14, sharpness=0.5, floor=0.01)]


def by_definition(picture: np.ndarray, step: HogFeatures) -> np.ndarray:
    """Float64 and loops: every pixel votes for directions, every vote goes to the cells near it."""
    grey = np.sqrt(picture / 255)
    middles = (np.arange(28 // step.cell) + 0.5) * step.cell
    near = np.maximum(0, 1 - np.abs(np.arange(28)[:, None] + 0.5 - middles) / step.cell) / step.cell
    cells = np.zeros((step.directions, len(middles), len(middles)))
    for row in range(28):
        for column in range(28):
            down = grey[min(row + 1, 27), column] - grey[max(row - 1, 0), column]
            across = grey[row, min(column + 1, 27)] - grey[row, max(column - 1, 0)]
            length = math.hypot(across, down)
            for direction in range(step.directions):
                angle = math.atan2(down, across) - 2 * math.pi * direction / step.directions
                vote = max(0.0, math.cos(angle) - step.sharpness) / (1 - step.sharpness)
                cells[direction] += length * vote * np.outer(near[row], near[column])
    return np.sqrt(cells / (cells.sum(axis=0) + step.floor)).ravel()


def in_onnx_runtime(step: HogFeatures, pixels: np.ndarray) -> np.ndarray:
    graph = GraphBuilder()
    model = graph.build(hog_features(graph, step, INPUT_NAME), step.network().size)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run([OUTPUT_NAME], {INPUT_NAME: pixels})[0])


@pytest.mark.parametrize("step", VARIANTS, ids=["default", "coarse"])
class TestHog:
    def test_is_what_its_definition_says(self, step: HogFeatures) -> None:
        pixels = images(2, seed=4).pixels
        expected = np.stack([by_definition(picture, step) for picture in pixels])
        # A root near zero turns a rounding of 1e-8 into one of 1e-4.
        np.testing.assert_allclose(step.transform(pixels) ** 2, expected**2, atol=1e-5)

    def test_is_the_same_in_the_graph(self, step: HogFeatures) -> None:
        for count in (1, 2, 33):
            pixels = images(count, seed=5).pixels
            features = step.transform(pixels)
            assert features.dtype == np.float32
            assert features.shape == (count, step.network().size)
            np.testing.assert_allclose(in_onnx_runtime(step, pixels) ** 2, features**2, atol=1e-5)

    def test_a_picture_is_the_same_in_any_batch(self, step: HogFeatures) -> None:
        pixels = images(34, seed=6).pixels
        pairs = [in_onnx_runtime(step, pixels[i : i + 2]) for i in range(0, 34, 2)]
        np.testing.assert_array_equal(np.concatenate(pairs), in_onnx_runtime(step, pixels))

    def test_an_even_picture_has_no_gradients(self, step: HogFeatures) -> None:
        for grey in (0, 1, 255):
            even = np.full((2, 28, 28), grey, np.uint8)
            assert not step.transform(even).any()
            assert not in_onnx_runtime(step, even).any()


def test_turning_a_picture_turns_its_directions() -> None:
    pixels = images(4, seed=7).pixels
    step = HogFeatures(directions=8)
    turned = step.transform(np.rot90(pixels, axes=(2, 1))).reshape(4, 8, 7, 7)
    expected = np.rot90(step.transform(pixels).reshape(4, 8, 7, 7), axes=(3, 2))
    np.testing.assert_allclose(turned**2, np.roll(expected, 2, axis=1) ** 2, atol=1e-5)


def test_brightness_nearly_cancels() -> None:
    pixels = images(10, seed=8).pixels // 2
    step = HogFeatures(floor=1e-6)
    np.testing.assert_allclose(
        step.transform(pixels * 2) ** 2, step.transform(pixels) ** 2, atol=2e-4
    )


def test_chunks_do_not_show() -> None:
    pixels = images(7, seed=9).pixels
    step = clone(HogFeatures())
    np.testing.assert_allclose(step.transform(pixels, chunk=3), step.transform(pixels), atol=1e-6)
