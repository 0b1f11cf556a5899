"""Drawn frames: the same from the same seed, and of many kinds."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import images

from fmnist_cli.ood.drawn import FAMILIES, draw


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_fills_frames_that_differ(name: str) -> None:
    frames = FAMILIES[name](np.random.default_rng(3), 12)
    assert frames.shape == (12, 28, 28)
    assert frames.dtype == np.uint8
    assert len(np.unique(frames.reshape(12, -1), axis=0)) > 9  # a silhouette may be empty


def test_the_same_seed_draws_the_same() -> None:
    garments = images(20).pixels
    some, same, others = (draw(seed, 4, garments) for seed in (1, 1, 2))
    assert some.keys() == {*FAMILIES, "mosaics", "scraps"}
    for name, frames in some.items():
        assert frames.shape == (4, 28, 28)
        assert np.array_equal(frames, same[name])
        assert not np.array_equal(frames, others[name])
