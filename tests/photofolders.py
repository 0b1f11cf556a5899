"""Labelled folders of small PNGs for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np


def write_photos(root: Path, counts: Mapping[str, int], seed: int = 3) -> Path:
    """`counts` pictures in each folder, 28×28 grey: folders differ by where a bright block is."""
    rng = np.random.default_rng(seed)
    for number, (folder, count) in enumerate(counts.items()):
        (root / folder).mkdir(parents=True)
        for index in range(count):
            pixels = rng.integers(0, 90, (28, 28))
            top, left = 2 + 9 * (number // 3), 2 + 8 * (number % 3)
            pixels[top : top + 8, left : left + 7] += 150
            content = cv2.imencode(".png", pixels.astype(np.uint8))[1].tobytes()
            (root / folder / f"{index:03d}.png").write_bytes(content)
    return root
