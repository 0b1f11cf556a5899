"""`fmnist bench --robustness`: the right images, the right shares, the right files."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from test_bench_cli import run_bench

from fmnist_cli.bench.robustness import choose, over_images, summary
from fmnist_cli.bench.robustness_rows import wilson
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.evaluate.corruptions import GROUPS, KINDS, corrupt, counted
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_cell_is_the_accuracy_on_the_corrupted_images(
    tmp_path: Path, tiny_models: Path, tiny_data: Path
) -> None:
    out = tmp_path / "out"
    done = run_bench(
        tmp_path,
        *("--robustness", "--robustness-images", 30, "--threads", 1),
        *("-m", "one", "-m", tiny_models / "other.onnx", "-m", "two"),
        *("-m", tiny_models / "colour.onnx"),
        *("--models-dir", tiny_models, "--data-dir", tiny_data),
        *("--json", out / "robustness.json", "--csv", out / "robustness.csv"),
    )
    assert done.returncode == 0, done.stderr
    assert "heavy imports" not in done.stderr
    assert "note: left out, as models of other images or classes: other, colour" in done.stderr
    text = (out / "robustness.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    document = json.loads(text)
    assert document["command"] == (
        "fmnist bench --robustness --robustness-images 30"
        " --model one --model other.onnx --model two --model colour.onnx"
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
            said = session(corrupt(name, images.pixels, strength, document["seed"])).argmax(1)
            assert share == np.mean(said == images.labels)

    with (out / "robustness.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    cells = sum(len(kind.levels) for kind in KINDS.values())
    assert len(rows) == 2 * (1 + cells)
    (row,) = [r for r in rows if (r["model"], r["kind"], r["strength"]) == ("two", "fog", "2")]
    assert float(row["accuracy"]) == two["by_kind"]["fog"]["accuracy"][1]
    assert float(row["low"]) <= float(row["accuracy"]) <= float(row["high"])

    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    shown = next(line.split()[-2:] for line in lines if line.startswith("  fog"))
    means = [document["models"][name]["by_kind"]["fog"]["mean"] for name in ("one", "two")]
    assert shown == [f"{100 * mean:.1f}" for mean in means]


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
    # Newcombe 1998, table I, case 1: 81 of 263.
    low, high = wilson(81 / 263, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson(0, 20)[0] == 0
    assert wilson(1, 20)[1] == pytest.approx(1)


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


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--robustness-images", "5"], 2, "--robustness-images needs --robustness"),
        (["--robustness", "--no-native"], 2, "accuracy alone; leave out --native"),
        (["--robustness", "--csv", "."], 2, ". is a folder; name a file"),
        (["--robustness"], 1, "fmnist data download"),
    ],
)
def test_what_cannot_be_measured_is_said(
    tmp_path: Path, tiny_models: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    done = run_bench(tmp_path, "--models-dir", tiny_models, *arguments)
    assert done.returncode == exit_code
    assert message in done.stderr
    assert done.stdout == ""


def test_every_kind_is_documented() -> None:
    text = (DOCS / "robustness.md").read_text(encoding="utf-8")
    for name, kind in KINDS.items():
        levels = ", ".join(f"{level:g}" for level in kind.levels)
        row = f"| {kind.title} (`{name}`) | {GROUPS[kind.group][0]} | {kind.source} |"
        assert f"{row} {kind.parameter} | {levels} |" in text
    cells = sum(len(kind.levels) for kind in KINDS.values())
    assert f"made worse in {len(KINDS)} ways at growing strength, {cells} cells" in text


def test_models_of_other_classes_alone_are_refused(
    tmp_path: Path, tiny_models: Path, tiny_data: Path
) -> None:
    words = ("--robustness", "-m", tiny_models / "other.onnx", "--data-dir", tiny_data)
    done = run_bench(tmp_path, *words)
    assert done.returncode == 1
    assert "no model takes the images of Fashion-MNIST and knows its ten classes" in done.stderr
