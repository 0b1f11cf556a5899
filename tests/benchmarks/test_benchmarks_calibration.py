"""docs/research/calibration.md says what was measured, of the files that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import calibration

from fmnist_cli.calibration import RULE
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.manifest import Manifest
from fmnist_cli.models.registry import REGISTRY

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = json.loads((ROOT / "benchmarks" / "results" / "calibration.json").read_text())


def test_its_table_comes_from_the_results() -> None:
    text = (ROOT / "docs" / "research" / "calibration.md").read_text(encoding="utf-8")
    assert calibration.table(DOCUMENT["models"]) in text


def test_the_results_are_of_the_shipped_files_and_of_the_rule_in_use() -> None:
    models = Manifest.read(ROOT / "exported").models
    shipped = {name: one for name, one in models.items() if REGISTRY[name].input == FRAME_SPEC}
    measured = {name: found["sha256"] for name, found in DOCUMENT["models"].items()}
    assert measured == {name: entry.sha256 for name, entry in shipped.items()}
    assert DOCUMENT["rule"] == RULE


def test_curves_calibrate_and_lower_the_loss() -> None:
    for found in DOCUMENT["models"].values():
        before, after = found["as it is"]["test"], found["curve"]["test"]
        # The members of a stack are calibrated already.
        assert after["loss"] < before["loss"] + 0.001
        assert after["calibration_error"] < max(before["calibration_error"], 0.008)
        assert after["calibration_error"] <= 0.01
