"""The tables of docs/research/explain.md, and the results behind them."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

from fmnist_cli.explain.explanation import DEFAULT_METHOD
from fmnist_cli.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def test_the_default_method_is_better_than_random_and_blurred_and_passes_the_check() -> None:
    document = json.loads((RESULTS / "faithfulness.json").read_text(encoding="utf-8"))
    shipped = Manifest.read(ROOT / "exported").models
    assert set(document["models"]) == {"cnn", "resnet"}
    assert document["images"] >= 1000
    assert document["method"] == DEFAULT_METHOD
    for name, result in document["models"].items():
        assert result["sha256"] == shipped[name].sha256
        assert {"random", "blurred"} <= set(result["beats_controls"][document["method"]])
        assert result["sanity"]["passed"]


def test_the_gallery_shows_a_right_and_a_wrong_image_of_every_class() -> None:
    document = json.loads((RESULTS / "explain.json").read_text(encoding="utf-8"))
    shipped = Manifest.read(ROOT / "exported").models
    assert document["models"] == {name: shipped[name].sha256 for name in ("cnn", "resnet")}
    for name in document["models"]:
        items = [item for item in document["items"] if item["model"] == name]
        verdicts = [(item["true"], item["true"] == item["predicted"]) for item in items]
        assert len(set(verdicts)) == len(verdicts) == 20
        assert all(len(b64decode(item["heat"])) == 28 * 28 for item in items)
