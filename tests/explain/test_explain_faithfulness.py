"""The measurements know a good map from a bad one where the truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import faithfulness
import numpy as np
import pytest
import torch
from faithfulness import (
    CONTROLS,
    STEPS,
    area,
    baseline_of,
    beats,
    curves,
    energy_inside,
    estimates,
    masking,
    measure,
    perturbation,
    ranks,
)
from harness.sanity import Maps, Similarity, check, compare
from synthetic import images

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.explain.cam import choose_layers, heatmaps, layers_of
from fmnist_cli.models.network import PixelClassifier

DATA = images(30)
PIXELS = DATA.pixels
CLASS_0 = np.zeros(len(PIXELS), np.int64)


def corner(pixels: Pixels) -> Probabilities:
    """A model that looks at nothing but the upper left quarter: p(class 0) is its mean."""
    p = pixels[:, :14, :14].mean(axis=(1, 2)) / 255
    return np.stack([p, 1 - p], axis=1).astype(np.float32)


def marked(top: int, left: int) -> np.ndarray:
    maps = np.zeros(PIXELS.shape, np.float32)
    maps[:, top : top + 14, left : left + 14] = 1
    return maps


RIGHT, WRONG = marked(0, 0), marked(14, 14)


def test_ranks_are_places_and_ties_are_drawn_by_lot() -> None:
    places = ranks(RIGHT)
    assert all(sorted(one.ravel()) == list(range(784)) for one in places)
    assert places[:, :14, :14].max() == 14 * 14 - 1
    zeros = ranks(np.zeros_like(RIGHT))
    assert not np.array_equal(zeros[0], zeros[1])
    np.testing.assert_array_equal(zeros, ranks(np.zeros_like(RIGHT)))


def test_curves_begin_and_end_with_the_whole_picture_and_the_baseline() -> None:
    deletion, insertion = curves(corner, PIXELS, WRONG, CLASS_0, "black")
    assert deletion.shape == insertion.shape == (STEPS + 1, len(PIXELS))
    whole = corner(PIXELS)[:, 0]
    np.testing.assert_allclose(deletion[0], whole)
    np.testing.assert_allclose(insertion[-1], whole)
    assert not deletion[-1].any()
    assert not insertion[0].any()


def test_a_right_map_deletes_at_once_and_a_wrong_one_late() -> None:
    whole = corner(PIXELS)[:, 0].astype(np.float64)
    scores = perturbation(corner, PIXELS, RIGHT, CLASS_0, "black")
    # A quarter of the pixels is all there is to see: a triangle of that width is left.
    np.testing.assert_allclose(scores["deletion_black"], whole / 8, rtol=0.2)
    np.testing.assert_allclose(scores["insertion_black"], whole * 7 / 8, rtol=0.03)
    for baseline in ("black", "blurred"):
        right = perturbation(corner, PIXELS, RIGHT, CLASS_0, baseline)
        wrong = perturbation(corner, PIXELS, WRONG, CLASS_0, baseline)
        assert set(right) == {f"deletion_{baseline}", f"insertion_{baseline}"}
    black = perturbation(corner, PIXELS, WRONG, CLASS_0, "black")
    assert (black["deletion_black"] > scores["deletion_black"]).all()
    assert (black["insertion_black"] < scores["insertion_black"]).all()
    assert not np.allclose(right["deletion_blurred"], wrong["deletion_blurred"])


def test_area_is_that_of_trapezoids() -> None:
    curve = np.array([[1.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(area(curve), [0.5, 0.25])


def test_the_blurred_baseline_keeps_the_light_and_loses_the_detail() -> None:
    blurred = baseline_of(PIXELS, "blurred")
    assert blurred.mean() == pytest.approx(PIXELS.mean(), rel=0.05)
    assert blurred.std() < 0.7 * PIXELS.std()


def test_masking_drops_what_is_covered() -> None:
    right = masking(corner, PIXELS, RIGHT, CLASS_0)
    wrong = masking(corner, PIXELS, WRONG, CLASS_0)
    np.testing.assert_allclose(right["drop"], 0, atol=1e-6)
    np.testing.assert_allclose(wrong["drop"], 1)
    assert not wrong["increase"].any()
    assert masking(corner, PIXELS, WRONG, CLASS_0 + 1)["increase"].all()


def test_energy_is_the_share_on_the_garment() -> None:
    pixels = np.zeros((3, 28, 28), np.uint8)
    pixels[:, :7] = 9
    maps = np.ones((3, 28, 28), np.float32)
    maps[1, 7:] = 0
    maps[2] = 0
    np.testing.assert_allclose(energy_inside(pixels, maps), [0.25, 1, 0])


def test_controls_know_nothing_of_a_network_and_stay_in_range() -> None:
    for make in CONTROLS.values():
        maps = make(PIXELS)
        assert maps.shape == PIXELS.shape
        assert maps.min() >= 0
        assert 0.4 < maps.max() <= 1
        np.testing.assert_array_equal(maps, make(PIXELS))


def test_estimates_hold_the_mean_and_get_narrower() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(3, 1, 50), rng.normal(3, 1, 2000)
    narrow = estimates({"many": many})["many"]
    wide = estimates({"few": few})["few"]
    assert narrow.low < narrow.mean < narrow.high
    assert narrow.mean == pytest.approx(many.mean())
    # 1.96 standard errors to either side.
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 / np.sqrt(2000), rel=0.1)
    assert wide.high - wide.low > 4 * (narrow.high - narrow.low)


def test_a_map_beats_controls_only_beyond_the_intervals() -> None:
    rng = np.random.default_rng(0)
    surely, hardly = 0.1 + rng.normal(0, 0.1, 200), rng.normal(0, 0.1, 200)
    good = estimates({"insertion_blurred": surely, "deletion_blurred": -surely})
    draw = estimates({"insertion_blurred": surely, "deletion_blurred": hardly - hardly.mean()})
    assert beats(good)
    assert not beats(draw)


def test_similarity_of_maps() -> None:
    maps = np.random.default_rng(0).random((4, 28, 28), np.float32)
    same = compare(maps, maps)
    assert same.spearman == pytest.approx(1)
    assert same.ssim == pytest.approx(1)
    squares = compare(maps, maps**2)
    assert squares.spearman == pytest.approx(1)  # the same order
    assert squares.ssim < 0.99
    assert compare(maps, 1 - maps).spearman == pytest.approx(-1)
    assert compare(maps, np.zeros_like(maps)).spearman == 0
    assert abs(compare(maps, np.roll(maps, 1, axis=0)).spearman) < 0.1


def test_similarity_within_a_tolerance_needs_both() -> None:
    reference = Similarity(0.3, 0.3)
    assert Similarity(0.35, 0.2).within(reference, 0.1)
    assert not Similarity(0.45, 0.2).within(reference, 0.1)
    assert not Similarity(0.2, 0.45).within(reference, 0.1)


def _hirescam(network: PixelClassifier, pixels: Pixels) -> Maps:
    layers = choose_layers(layers_of(network, (28, 28)))
    return heatmaps(network, pixels, DATA.labels, "hirescam", layers)


def test_scrambling_goes_from_the_top_and_leaves_the_network_alone(cnn: PixelClassifier) -> None:
    before = {name: value.clone() for name, value in cnn.state_dict().items()}
    state = torch.random.get_rng_state()
    result = check(cnn, PIXELS, _hirescam)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in cnn.state_dict().items())
    names = [name for name, _ in result.stages]
    assert names[0] == [n for n, m in cnn.network.named_modules() if hasattr(m, "weight")][-1]
    assert len(names) == len(set(names)) >= 5
    assert result.images == len(PIXELS)
    assert result.scrambled != result.stages[-1][1]
    assert result.scrambled.spearman < 0.5
    assert result == check(cnn, PIXELS, _hirescam)


def test_maps_that_ignore_the_weights_fail_the_check(cnn: PixelClassifier) -> None:
    """As edge detectors do, which is what the check was invented for."""
    assert check(cnn, PIXELS, _hirescam).passed
    result = check(cnn, PIXELS, lambda _network, pixels: pixels.astype(np.float32) / 255)
    assert result.scrambled.spearman == pytest.approx(1)
    assert not result.passed


def test_the_whole_measurement(cnn: PixelClassifier) -> None:
    def predict(pixels: Pixels) -> Probabilities:
        with torch.inference_mode():
            return cnn(torch.from_numpy(pixels.copy())).numpy()

    said: list[str] = []
    found = measure(cnn, predict, PIXELS, "gradcam", "7x7", said.append)
    assert found["layer"] == "7x7"
    assert set(found["controls"]) == set(CONTROLS)
    assert set(found["methods"]) == set(found["beats_controls"]) == set(found["differences"])
    for method, by_control in found["differences"].items():
        for control, metrics in by_control.items():
            for name, estimate in metrics.items():
                assert estimate["low"] <= estimate["mean"] <= estimate["high"]
                mine, theirs = found["methods"][method], found["controls"][control]
                difference = mine[name]["mean"] - theirs[name]["mean"]
                assert estimate["mean"] == pytest.approx(difference, abs=2e-5)
    assert found["sanity"]["stages"][0]["layer"]
    assert len(said) == 3 + 4 + 1


def test_the_script_prints_and_writes_the_same(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    target = tmp_path / "faithfulness.json"
    words = ["-m", "cnn", "--images", "20", "--data-dir", str(data_dir), "-o", str(target)]
    monkeypatch.setattr("sys.argv", ["faithfulness.py", *words])
    faithfulness.main()
    printed = capsys.readouterr().out
    document = json.loads(target.read_text(encoding="utf-8"))
    assert document["images"] == 20
    assert document["command"] == (
        "python benchmarks/faithfulness.py -m cnn --method layercam --layer stages"
        " --images 20 --seed 0"
    )
    result = document["models"]["cnn"]
    for one, found in (result["methods"] | result["controls"]).items():
        line = next(line for line in printed.splitlines() if line.startswith(f"{one} "))
        assert f" {found['insertion_blurred']['mean']:.3f} ±" in line
    assert ("passes" if result["sanity"]["passed"] else "FAILS") in printed
