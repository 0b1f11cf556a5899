from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fmnist_cli.bench.latency import Latency
from fmnist_cli.bench.pixels import random_pixels
from fmnist_cli.bench.plan import Candidate, Plan
from fmnist_cli.bench.run import NativeModel, Result, noisy_models, run, unique_names
from fmnist_cli.bench.turns import Turn, summarise
from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.models import ModelFile, open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.preprocess import from_frames

PLAN = Plan(threads=1, seconds_per_model=0.02, rounds=1, batch_sizes=(1, 4))
IMAGES = LabelledImages(random_pixels((28, 28), 40), np.arange(40) % 10)


def result(*p50_ms: float) -> Result:
    turns = [Turn(0.1, Latency(100, ms, 2 * ms, 3 * ms), {1: {1: 1.0}}) for ms in p50_ms]
    return Result("", "", 0, None, 0, None, None, True, None, summarise(turns, 1))


def test_models_that_vary_too_much_are_named() -> None:
    results = {"calm": result(1, 1.3), "wild": result(1, 1.31)}
    assert noisy_models(results) == ["wild"]
    assert noisy_models(results, limit=1.2) == ["calm", "wild"]


def test_repeated_names_get_numbers() -> None:
    assert unique_names(["a", "b", "a", "a"]) == ["a", "b", "a #2", "a #3"]


def test_random_pixels_are_the_same_every_time() -> None:
    pixels = random_pixels((48, 64, 3), 5)
    assert pixels.shape == (5, 48, 64, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, random_pixels((48, 64, 3), 5))


def shifted(file: ModelFile, by: float) -> NativeModel:
    """A "native model" that is the graph, all its probabilities off by a little."""
    session = Session(file)

    def infer(pixels: Pixels) -> Probabilities:
        return session(pixels) + np.float32(by)

    return NativeModel("Fake", infer)


def test_a_native_model_is_compared_only_if_it_is_the_same_model(tiny_models: Path) -> None:
    candidates = [Candidate(name, open_model(name, tiny_models)) for name in ("one", "two")]
    steps: list[str] = []
    missing: dict[str, str] = {}
    results = run(
        candidates,
        PLAN,
        IMAGES,
        find_native=lambda file: shifted(file, 5e-6 if file.name == "one" else 2e-4),
        on_step=steps.append,
        on_missing=missing.__setitem__,
    )
    native = results["one"].native
    assert native is not None
    assert native.framework == "Fake"
    assert native.images == 40
    assert native.parity == pytest.approx(5e-6, rel=0.1)
    assert native.tolerance == 1e-5
    assert list(native.speed_up) == [1, 4]
    assert results["two"].native is None
    assert "differs from the graph by 2.0e-04" in missing["two"]
    assert list(missing) == ["two"]
    assert "latency and throughput: round 1 of 1" in steps
    quality = results["one"].quality
    assert quality is not None
    assert quality.shirt_f1 == quality.f1["Shirt"]
    assert quality.macro_f1 == pytest.approx(np.mean(list(quality.f1.values())))


def test_a_model_of_other_pictures_has_costs_and_no_accuracy(tiny_models: Path) -> None:
    files = [open_model(name, tiny_models) for name in ("one", str(tiny_models / "colour.onnx"))]
    plan = replace(PLAN, batch_sizes=(1, 4, 512))
    seen: list[Pixels] = []

    def native(file: ModelFile) -> NativeModel:
        session = Session(file)

        def infer(pixels: Pixels) -> Probabilities:
            seen.append(pixels)
            return session(pixels)

        return NativeModel("Fake", infer)

    found = run([Candidate(file.name, file) for file in files], plan, IMAGES, find_native=native)
    one, colour = found["one"], found["colour"]
    assert one.of_data_set
    assert one.quality is not None
    assert not colour.of_data_set
    assert colour.quality is None
    assert colour.macs == 360
    assert colour.native is not None
    assert list(colour.native.speed_up) == [1, 4]  # 512 colour pictures are too many at once
    assert list(one.timing.images_per_s_by_batch_size) == [1, 4, 512]
    assert list(colour.timing.images_per_s_by_batch_size) == [1, 4]
    frames = next(pixels for pixels in seen if pixels.shape[1:] == (64, 48, 3))
    # Images of the data set, in the middle of a ground.
    expected = from_frames(IMAGES.pixels[: len(frames)], Session(files[1]).spec)
    np.testing.assert_array_equal(frames, expected)


def test_why_there_is_no_native_model_is_told(tiny_models: Path) -> None:
    def find(file: ModelFile) -> NativeModel:
        raise ModelError(f"nothing for {file.name}")

    missing: dict[str, str] = {}
    results = run(
        [Candidate("one", open_model("one", tiny_models))],
        PLAN,
        None,
        find_native=find,
        on_missing=missing.__setitem__,
    )
    assert missing == {"one": "nothing for one"}
    assert results["one"].native is None
    assert results["one"].quality is None
    assert len(results["one"].timing.rounds) == 1


def test_a_file_that_cannot_be_run_ends_it_before_time_is_spent(
    tiny_models: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    steps: list[str] = []
    files = [open_model("one", tiny_models), open_model(str(broken))]
    with pytest.raises(ModelError, match=r"broken\.onnx is not a usable ONNX model"):
        run([Candidate(file.name, file) for file in files], PLAN, None, on_step=steps.append)
    assert steps == ["one: accuracy", "broken: accuracy"]
