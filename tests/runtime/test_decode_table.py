"""The table in docs/decoding.md is true."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from kindsamples import SAMPLES, white_zero

from fmnist_cli.decode import MAX_PIXELS, decode, read_header

PAGE = Path(__file__).parents[2] / "docs" / "decoding.md"
ROWS = {
    cells[0]: cells[1:]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("| ---", "| Kind"))
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}


def test_the_table_and_the_samples_name_the_same_kinds() -> None:
    assert list(ROWS) == list(SAMPLES)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_row_of_the_table(kind: str) -> None:
    path, reduced, grey, transparent = ROWS[kind]
    sample = SAMPLES[kind]
    if not sample.available:
        pytest.skip("cannot be made here")
    data, expected = sample.make()

    picture = decode(data)
    assert picture.grey.dtype == np.uint8
    assert picture.grey.shape == expected.shape
    assert np.abs(picture.grey.astype(int) - expected).max() <= sample.tolerance

    header = read_header(data, MAX_PIXELS)
    assert ("fast" if header is not None and header.plain else "complete") == path

    smaller = decode(data, reduction=lambda *_: 4)
    shape = tuple(-(-side // 4) for side in expected.shape) if reduced == "yes" else expected.shape
    assert smaller.grey.shape == shape
    assert smaller.full == (expected.shape if reduced == "yes" else None)

    assert re.fullmatch("as stored|luma( as stored)?|scaled|black and white", grey)
    assert picture.colorless == (
        grey in ("as stored", "scaled", "black and white") and not transparent
    )


def test_zero_may_mean_white_in_16_bits_too() -> None:
    data, expected = white_zero()
    np.testing.assert_array_equal(decode(data).grey, expected)
