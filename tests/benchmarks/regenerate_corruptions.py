"""Write corruptions.json anew: every kind at every strength of a few drawn pictures, coarsely.

Run with ``PYTHONPATH=benchmarks python tests/benchmarks/regenerate_corruptions.py`` after a wanted
change, and look at the difference: robustness has to be measured again, too.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from harness.corruptions import KINDS, corrupt

from fmnist_cli.contract import Pixels

GOLDEN = Path(__file__).with_name("corruptions.json")


def drawn_pictures() -> Pixels:
    """Three garments of no shop, uint8 [3, 28, 28]: a block, a ramp in a disc, stripes."""
    row, column = np.mgrid[:28, :28]
    block = np.where((row > 5) & (row < 22) & (column > 8) & (column < 19), 200, 0)
    disc = np.where((row - 13) ** 2 + (column - 13) ** 2 < 100, 60 + 6 * row, 0)
    stripes = np.where((column > 3) & (column < 25) & (row > 3), 90 + 120 * (row // 3 % 2), 0)
    return np.stack([block, disc, stripes]).astype(np.uint8)


def coarse(pixels: Pixels) -> list[list[int]]:
    """Means of squares of 7×7, 16 for each picture: what versions of libraries agree on."""
    squares = pixels.reshape(len(pixels), 4, 7, 4, 7).mean(axis=(2, 4))
    return np.rint(squares).astype(int).reshape(len(pixels), -1).tolist()


def main() -> None:
    """Corrupt and write, a line per kind and strength."""
    pictures = drawn_pictures()
    lines = [
        f' "{name} {strength}": {json.dumps(coarse(corrupt(name, pictures, strength)))}'
        for name, kind in KINDS.items()
        for strength in range(1, len(kind.levels) + 1)
    ]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
