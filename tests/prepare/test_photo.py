"""The seam of photos: who finds the garment is given, and what is done with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pictures import Grey

from fmnist_cli.prepare import may_isolate, needs_color, prepare
from fmnist_cli.prepare.picture import Picture


def photo() -> Picture:
    """A red rectangle, 40×80, in noise."""
    color = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    color[20:100, 60:100] = (200, 30, 30)
    grey = color.mean(axis=2).astype(np.uint8)
    return Picture(grey, False, color=color)


def red(image: Grey) -> npt.NDArray[np.float32]:
    """Marks the rectangle: [128, 128, 3] → half as large a mask, as networks give it."""
    assert image.shape == (128, 128, 3)
    is_red = (image[..., 0] > 150) & (image[..., 1] < 80) & (image[..., 2] < 80)
    mask = np.zeros((128, 128), np.float32)
    mask[is_red] = 1
    return mask.reshape(64, 2, 64, 2).mean(axis=(1, 3))


def test_what_was_found_is_centred_on_black() -> None:
    frame, name = prepare(photo(), "auto", red)
    assert name == "photo"
    rows, columns = (np.flatnonzero((frame > 40).any(axis=axis)) for axis in (1, 0))
    assert 26 <= np.ptp(rows) + 1 <= 28
    assert 13 <= np.ptp(columns) + 1 <= 16
    assert abs(columns.mean() - 13.5) <= 1
    assert not frame[:, :5].any()
    assert not frame[:, -5:].any()


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [(80, 40, 28, 14), (80, 64, 28, 22), (64, 80, 28, 28), (40, 80, 22, 28), (30, 96, 17, 28)],
)
def test_spread_sleeves_count_less(height: int, width: int, rows: int, columns: int) -> None:
    color = np.zeros((128, 128, 3), np.uint8)
    color[10 : 10 + height, 10 : 10 + width] = (200, 30, 30)
    grey = np.random.default_rng(0).integers(100, 160, (128, 128), np.uint8)
    frame, _ = prepare(Picture(grey, False, color=color), "photo", red)
    found = tuple(np.ptp(np.flatnonzero((frame > 40).any(axis=axis))) + 1 for axis in (1, 0))
    assert found == pytest.approx((rows, columns), abs=1)


def test_without_anything_that_finds_garments_auto_has_products_only() -> None:
    assert prepare(photo())[1] == "product"
    with pytest.raises(ValueError, match="isolates"):
        prepare(photo(), "photo")


def test_a_photo_without_colour_is_looked_at_too() -> None:
    seen = []

    def isolate(image: Grey) -> npt.NDArray[np.float32]:
        seen.append(image)
        return np.ones((64, 64), np.float32)

    prepare(photo()._replace(color=None), "photo", isolate)
    assert seen[0].shape == (128, 128, 3)
    assert (seen[0] == seen[0][..., :1]).all()


def test_only_modes_that_may_meet_photos_need_colour() -> None:
    assert [mode for mode in ("auto", "frame", "product", "photo") if needs_color(mode)] == [
        "auto",
        "photo",
    ]
    assert [mode for mode in ("auto", "frame", "product", "photo") if may_isolate(mode)] == [
        "auto",
        "photo",
    ]
