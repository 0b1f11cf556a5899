from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fmnist_cli.bench.measure import random_pixels, timed_pixels
from fmnist_cli.bench.rounds import Plan, Turn, summarise
from fmnist_cli.bench.run import noisy_models, run, steps_of
from fmnist_cli.cli.options import open_named
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.session import Session
from fmnist_cli.preprocess import from_frames

PLAN = Plan(threads=1, seconds_per_model=0.02, rounds=1, batch_sizes=(1, 4))
IMAGES = LabelledImages(random_pixels((28, 28), 40), np.arange(40) % 10)


def result(*p50_ms: float) -> dict[str, Any]:
    turns: list[Turn] = [
        {
            "load_s": 0.1,
            "latency": {"calls": 100, "p50_ms": ms, "p95_ms": 2 * ms, "p99_ms": 3 * ms},
            "images_per_s": {"1": {"1": 1.0}},
        }
        for ms in p50_ms
    ]
    return {"timing": summarise(turns, 1)}


def test_models_that_vary_too_much_are_named() -> None:
    results = {"calm": result(1, 1.3), "wild": result(1, 1.31)}
    assert noisy_models(results) == ["wild"]
    assert noisy_models(results, limit=1.2) == ["calm", "wild"]


def test_repeated_names_get_numbers(tiny_models: Path) -> None:
    found = open_named(["one", "two", "one", "one"], tiny_models)
    assert list(found) == ["one", "two", "one #2", "one #3"]
    assert [file.name for file in found.values()] == ["one", "two", "one", "one"]


def test_random_pixels_are_the_same_every_time() -> None:
    pixels = random_pixels((48, 64, 3), 5)
    assert pixels.shape == (5, 48, 64, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, random_pixels((48, 64, 3), 5))


def test_models_have_accuracy_and_every_step_is_told(tiny_models: Path) -> None:
    files = open_named(["one", "two"], tiny_models)
    steps: list[str] = []
    results = run(files, PLAN, IMAGES, on_step=steps.append)
    assert "latency and throughput: round 1 of 1" in steps
    assert len(steps) == steps_of(2, PLAN, pictures=False)
    quality = results["one"]["quality"]
    assert quality["shirt_f1"] == quality["f1"]["Shirt"]
    assert quality["macro_f1"] == pytest.approx(np.mean(list(quality["f1"].values())))
    assert len(results["one"]["timing"]["rounds"]) == 1
    assert run({"one": files["one"]}, PLAN, None)["one"]["quality"] is None


def test_a_model_of_other_pictures_has_costs_and_no_accuracy(tiny_models: Path) -> None:
    files = open_named(["one", str(tiny_models / "colour.onnx")], tiny_models)
    plan = replace(PLAN, batch_sizes=(1, 4, 512))
    found = run(files, plan, IMAGES)
    one, colour = found["one"], found["colour"]
    assert one["of_data_set"]
    assert one["quality"] is not None
    assert not colour["of_data_set"]
    assert colour["quality"] is None
    assert colour["macs"] == 360
    # 512 colour pictures are too many at once.
    assert list(one["timing"]["images_per_s_by_batch_size"]) == ["1", "4", "512"]
    assert list(colour["timing"]["images_per_s_by_batch_size"]) == ["1", "4"]
    # Images of the data set, in the middle of a ground.
    spec = Session(files["colour"]).spec
    shown = timed_pixels(spec, IMAGES.pixels)
    assert shown.shape[1:] == (64, 48, 3)
    np.testing.assert_array_equal(shown, from_frames(IMAGES.pixels[: len(shown)], spec))


def test_a_file_that_cannot_be_run_ends_it_before_time_is_spent(
    tiny_models: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    steps: list[str] = []
    files = open_named(["one", str(broken)], tiny_models)
    with pytest.raises(ModelError, match=r"broken\.onnx is not a usable ONNX model"):
        run(files, PLAN, None, on_step=steps.append)
    assert steps == ["one: accuracy", "broken: accuracy"]
