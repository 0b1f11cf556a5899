"""The guard that is shipped, its results, and the tables of docs/research/guard.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from guard import missed
from harness.strangers import FAMILIES, strangers
from synthetic import images

from fmnist_cli.inference.models import open_part
from fmnist_cli.inference.ood import PART, Guard
from fmnist_cli.manifest import Manifest
from fmnist_cli.ood import drawn

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def test_the_results_are_of_the_shipped_guard_and_good_enough() -> None:
    document = json.loads((RESULTS / "guard.json").read_text(encoding="utf-8"))
    assert document["guard"] == Manifest.read(ROOT / "exported").parts[PART].sha256
    sets = document["scores"]["guard"]
    assert {"MNIST digits", *FAMILIES} <= set(sets)
    assert all(found["auroc"] >= 0.99 for found in sets.values())


def test_strangers_are_the_same_each_time_and_of_other_families_than_the_drawn() -> None:
    garments = images(20).pixels
    some, same = (strangers(3, 6, garments) for _ in range(2))
    for name, frames in some.items():
        assert frames.shape == (6, 28, 28)
        assert frames.dtype == np.uint8
        assert np.array_equal(frames, same[name])
    assert not {*FAMILIES} & {*drawn.FAMILIES}


def test_the_shipped_guard_takes_strangers_for_strange() -> None:
    guard = Guard(open_part(PART))
    for name, frames in strangers(5, 40, images(20).pixels).items():
        caught = np.mean(guard.novelty(frames) > guard.limit("frame"))
        assert caught >= 0.95, name


def test_missed_is_what_lies_above_the_limit_that_catches() -> None:
    known = np.arange(100, dtype=float)
    assert missed(known, np.full(20, 90.0)) == pytest.approx(0.1)
    assert missed(known, np.full(20, 1000.0)) == 0
