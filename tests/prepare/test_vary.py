"""Pictures varied to learn from: the same kind of picture, seen otherwise, the same every time."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fmnist_cli.prepare import Picture, vary
from fmnist_cli.runtime.frames import Framer, Prepared
from fmnist_cli.runtime.sources.base import HeldItem


def picture(*, color: bool = True, scale: int = 1) -> Picture:
    """A bright patch, 60 by 100, in the middle of a dark ground, 120 by 160."""
    values = np.full((120 * scale, 160 * scale, 3), 60, np.uint8)
    values[30 * scale : 90 * scale, 30 * scale : 130 * scale] = (200, 150, 100)
    grey = cv2.cvtColor(values, cv2.COLOR_RGB2GRAY)
    return Picture(np.asarray(grey, np.uint8), not color, color=values if color else None)


def many(source: Picture, count: int = 60) -> list[Picture]:
    generator = np.random.default_rng(5)
    return [vary(source, generator) for _ in range(count)]


def bright(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Finds the patch: float32 [64, 64] of uint8 [128, 128, 3]."""
    levels = image[::2, ::2].max(axis=2).astype(np.float32)
    return (levels > (levels.min() + levels.max()) / 2).astype(np.float32)


@pytest.mark.parametrize("color", [True, False])
def test_views_are_pictures_of_the_same_kind(color: bool) -> None:
    views = many(picture(color=color))
    for view in views:
        assert view.grey.dtype == np.uint8
        assert view.colorless is not color
        assert (view.color is None) is not color
        assert view.color is None or view.color.shape == (*view.grey.shape, 3)
    assert len({view.grey.tobytes() for view in views}) == len(views)
    assert {view.grey.shape for view in views} == {(120, 160), (160, 120)}  # some lie


def test_the_thing_stays_in_sight_and_about_as_large() -> None:
    for view in many(picture()):
        levels = view.grey.astype(int)
        seen = levels > (levels.min() + levels.max()) / 2
        assert 0.4 < seen.sum() / (60 * 100) < 2
        rows, columns = np.nonzero(seen)
        assert abs(rows.mean() / seen.shape[0] - 0.5) < 0.15
        assert abs(columns.mean() / seen.shape[1] - 0.5) < 0.15


def test_light_and_greys_differ_and_the_garment_still_stands_out() -> None:
    middles = []
    for view in many(picture()):
        height, width = view.grey.shape
        middles.append(int(view.grey[height // 2, width // 2]))
        assert middles[-1] > view.grey[0, 0]
    assert max(middles) - min(middles) > 40


@pytest.mark.parametrize("shape", [(1200, 1600), (40_000, 3), (1, 1)])
def test_large_long_and_tiny_pictures_can_be_varied(shape: tuple[int, int]) -> None:
    source = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    for view in many(Picture(source, True), 20):
        assert max(view.grey.shape) == min(max(shape), 512)


def test_a_framer_gives_as_many_views_of_a_photo_as_asked_the_frame_first() -> None:
    color = picture(scale=2).color
    assert color is not None
    content = cv2.imencode(".png", color)[1].tobytes()
    item = HeldItem("coat/1.png", content)
    (one,) = Framer("photo", bright)([item])
    (several,), (again,) = (Framer("photo", bright, views=4)([item]) for _ in range(2))
    (other,) = Framer("photo", bright, views=4)([HeldItem("coat/2.png", content)])
    assert isinstance(one, Prepared)
    assert isinstance(several, Prepared)
    assert isinstance(other, Prepared)
    assert several == again
    assert (several.frame() == one.frame()).all()
    assert several.content[:784] == one.content
    frames = np.frombuffer(several.content, np.uint8).reshape(4, 28, 28)
    assert len({frame.tobytes() for frame in frames}) == 4
    assert other.content[784:] != several.content[784:]  # another path, other views


@pytest.mark.parametrize(("side", "mode"), [(28, "frame"), (120, "product")])
def test_frames_and_products_are_not_varied(side: int, mode: str) -> None:
    values = np.full((side, side), 255, np.uint8)
    values[side // 4 : -side // 4, side // 3 : -side // 3] = 90
    item = HeldItem("1.png", cv2.imencode(".png", values)[1].tobytes())
    (one,) = Framer("auto")([item])
    (result,) = Framer("auto", views=3)([item])
    assert isinstance(one, Prepared)
    assert isinstance(result, Prepared)
    assert result.prepared == mode
    assert result.content == one.content * 3
