from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

import numpy as np
from reportfiles import Folders
from typer.testing import CliRunner

from fmnist_cli.cli import build_app
from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.describe import stratified
from fmnist_cli.report.inputs import KINDS


def described(folders: Folders, target: Path, *options: str) -> dict[str, object]:
    arguments = ["describe", "-o", str(target), "--data-dir", str(folders.data), *options]
    result = CliRunner().invoke(build_app("data"), ["data", *arguments])
    assert result.exit_code == 0, result.output
    document: dict[str, object] = json.loads(target.read_text(encoding="utf-8"))
    return document


def test_the_description_is_of_the_data_and_seeded(folders: Folders, tmp_path: Path) -> None:
    first = described(folders, tmp_path / "a.json", "--points", "50")
    again = described(folders, tmp_path / "b.json", "--points", "50")
    assert first == again
    assert KINDS["data"].recognise(first)
    splits = first["splits"]
    assert isinstance(splits, dict)
    train = load_split("train", folders.data)
    for name in ("train", "validation", "test"):
        images = load_split(name, folders.data)
        counts = np.bincount(images.labels, minlength=10).tolist()
        assert splits[name]["images"] == len(images)
        assert splits[name]["classes"] == dict(zip(CLASS_NAMES, counts, strict=True))
        assert abs(splits[name]["pixels"]["mean"] - images.pixels.mean() / 255) < 1e-4
    means = first["mean_images"]
    assert isinstance(means, dict)
    for class_id, name in enumerate(CLASS_NAMES):
        mean = np.frombuffer(b64decode(means[name]), np.uint8).reshape(28, 28)
        exact = train.pixels[train.labels == class_id].mean(axis=0)
        assert np.abs(mean - exact).max() <= 0.5
    points = first["embedding"]
    assert isinstance(points, dict)
    validation = load_split("validation", folders.data)
    assert validation.positions is not None
    known = dict(zip(validation.positions.tolist(), validation.labels.tolist(), strict=True))
    assert [known[index] for index in points["index"]] == points["class_id"]
    assert len(set(points["index"])) == len(points["x"]) == len(points["y"]) == len(points["index"])
    assert np.isfinite([points["x"], points["y"]]).all()


def test_the_map_has_as_many_of_each_class() -> None:
    labels = np.repeat(np.arange(10), 30)
    chosen = stratified(labels, 50, 0)
    assert np.bincount(labels[chosen]).tolist() == [5] * 10
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.tolist() != stratified(labels, 50, 1).tolist()
    assert len(stratified(labels, 10_000, 0)) == 300
