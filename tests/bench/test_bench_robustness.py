"""benchmarks/robustness.py: the right images, the right shares, the right file."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode
from pathlib import Path

import cv2
import numpy as np
import pytest
import robustness
from harness.corruptions import GROUPS, KINDS, corrupt, counted
from robustness import choose, over_images, summary

from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    """``python benchmarks/robustness.py WORD…`` within this process."""
    monkeypatch.setattr("sys.argv", ["robustness.py", *map(str, words)])
    robustness.main()


def test_every_cell_is_the_accuracy_on_the_corrupted_images(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tiny_models: Path,
    tiny_data: Path,
) -> None:
    target = tmp_path / "robustness.json"
    run(
        monkeypatch,
        *("-m", "one", "-m", tiny_models / "other.onnx", "-m", "two"),
        *("-m", tiny_models / "colour.onnx", "--images", 30, "-o", target),
        *("--models-dir", tiny_models, "--data-dir", tiny_data),
    )
    said = capsys.readouterr()
    assert "left out, as models of other images or classes: other colour" in said.err
    text = target.read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    document = json.loads(text)
    assert document["command"] == (
        "python benchmarks/robustness.py --images 30 -m one -m other.onnx -m two -m colour.onnx"
    )
    assert {"fmnist-cli", "python", "numpy", "onnxruntime", "opencv-python-headless"} == set(
        document["versions"]
    )
    assert list(document["models"]) == ["one", "two"]
    assert list(document["kinds"]) == list(KINDS)
    images = choose(load_split("test", tiny_data), 30)
    assert document["images"] == 30
    assert document["images_sha256"] == hashlib.sha256(images.pixels.tobytes()).hexdigest()
    file = open_model("two", tiny_models)
    two, session = document["models"]["two"], Session(file)
    assert two["sha256"] == file.sha256
    for name in ("fog", "jpeg", "tilt"):
        for strength, share in enumerate(two["by_kind"][name]["accuracy"], start=1):
            predicted = session(corrupt(name, images.pixels, strength, document["seed"])).argmax(1)
            assert share == np.mean(predicted == images.labels)
    shown = next(line.split()[-2:] for line in said.out.splitlines() if line.startswith("  fog"))
    means = [document["models"][name]["by_kind"]["fog"]["mean"] for name in ("one", "two")]
    assert shown == [f"{100 * mean:.1f}" for mean in means]


def test_examples_are_corrupted_as_measured(tiny_data: Path) -> None:
    images = load_split("test", tiny_data)
    found = robustness.examples(images)
    assert list(found) == list(KINDS)
    for number, (name, kind) in enumerate(KINDS.items()):
        content = np.frombuffer(b64decode(found[name]["strip"]), np.uint8)
        strip = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
        assert strip.shape == (28, 168)
        picture = images.pixels[images.labels == number % 10][:1]
        np.testing.assert_array_equal(strip[:, :28], picture[0])
        for strength in range(1, len(kind.levels) + 1):
            tile = strip[:, 28 * strength : 28 * (strength + 1)]
            np.testing.assert_array_equal(tile, corrupt(name, picture, strength)[0])
        assert not strip[:, 28 * (1 + len(kind.levels)) :].any()


def test_means_are_over_kinds_and_strengths_and_intervals_over_images() -> None:
    rng = np.random.default_rng(0)
    clean = rng.random(50) < 0.9
    hits = {n: [rng.random(50) < 0.6 for _ in kind.levels] for n, kind in KINDS.items()}
    found = summary(clean, hits)
    scores = np.mean([hits[name] for name in counted()], axis=(0, 1))
    mean, margin = scores.mean(), 1.96 * scores.std(ddof=1) / 50**0.5
    corrupted = found["mean_corruption_accuracy"]
    assert corrupted["mean"] == pytest.approx(mean)
    assert corrupted["low"] == pytest.approx(mean - margin, abs=1e-4)
    assert corrupted["high"] == pytest.approx(mean + margin, abs=1e-4)
    assert found["relative_drop"] == pytest.approx(1 - mean / clean.mean())
    assert np.mean([one["mean"] for one in found["by_strength"]]) == pytest.approx(mean)
    for group in GROUPS:
        members = [found["by_kind"][n]["mean"] for n, kind in KINDS.items() if kind.group == group]
        assert found["by_group"][group]["mean"] == pytest.approx(np.mean(members))
    assert summary(np.zeros(50, bool), hits)["relative_drop"] is None


def test_intervals_stay_within_0_and_1() -> None:
    assert over_images(np.ones(1)) == (1, 1, 1)
    share = over_images(np.arange(100) < 98)
    assert share.low < share.mean == 0.98 < share.high == 1


def test_images_are_drawn_evenly_over_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 5])
    numbers = np.arange(len(labels), dtype=np.uint8)
    pixels = np.broadcast_to(numbers[:, None, None], (len(labels), 28, 28))
    images = LabelledImages(pixels, labels, np.arange(len(labels)) + 7)
    found = choose(images, 25)
    assert np.bincount(found.labels).tolist() == [10, 10, 5]
    assert found.positions is not None
    np.testing.assert_array_equal(found.positions, np.sort(found.positions))
    np.testing.assert_array_equal(found.positions - 7, found.pixels[:, 0, 0])
    np.testing.assert_array_equal(found.labels, labels[found.pixels[:, 0, 0]])
    assert (choose(images, 25, seed=1).pixels != found.pixels).any()
    np.testing.assert_array_equal(choose(images, 1000).pixels, pixels)
    # More images are the same ones and some besides.
    assert set(found.positions) < set(choose(images, 40).positions)  # type: ignore[arg-type]


def test_every_kind_is_documented() -> None:
    text = (DOCS / "research" / "robustness.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        levels = ", ".join(f"{level:g}" for level in kind.levels)
        row = f"| {kind.title} (`{name}`) | {GROUPS[kind.group][0]} | {kind.source} |"
        assert f"{row} {kind.parameter} | {levels} |" in text
    cells = sum(len(kind.levels) for kind in KINDS.values())
    assert f"made worse in {len(KINDS)} ways at growing strength, {cells} cells" in text


def test_models_of_other_classes_alone_are_refused(
    monkeypatch: pytest.MonkeyPatch, tiny_models: Path, tiny_data: Path
) -> None:
    with pytest.raises(ModelError, match="no model takes the images of Fashion-MNIST and knows"):
        run(monkeypatch, "-m", tiny_models / "other.onnx", "--data-dir", tiny_data)
