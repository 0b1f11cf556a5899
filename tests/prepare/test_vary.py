"""Pictures varied to learn from: the same kind of picture, seen otherwise, the same every time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fmnist_cli.prepare import Picture, vary
from fmnist_cli.runtime.frames import Framer, Prepared
from fmnist_cli.runtime.sources.base import HeldItem


def picture(*, color: bool = True, alpha: bool = False) -> Picture:
    """A bright patch, 60 by 100, in the middle of a dark ground, 120 by 160."""
    values = np.full((120, 160, 3), 60, np.uint8)
    values[30:90, 30:130] = (200, 150, 100)
    outline = np.zeros((120, 160), np.uint8)
    outline[30:90, 30:130] = 255
    return Picture(
        cv2.cvtColor(values, cv2.COLOR_RGB2GRAY),
        not color,
        color=values if color else None,
        alpha=outline if alpha else None,
    )


def many(source: Picture, count: int = 60) -> list[Picture]:
    generator = np.random.default_rng(5)
    return [vary(source, generator) for _ in range(count)]


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("alpha", [True, False])
def test_views_are_pictures_of_the_same_kind(color: bool, alpha: bool) -> None:
    views = many(picture(color=color, alpha=alpha))
    for view in views:
        assert view.grey.dtype == np.uint8
        assert view.grey.shape in {(120, 160), (160, 120)}
        assert view.colorless is not color
        assert (view.color is None) is not color
        assert view.color is None or view.color.shape == (*view.grey.shape, 3)
        assert (view.alpha is None) is not alpha
        assert view.alpha is None or view.alpha.shape == view.grey.shape
    assert len({view.grey.tobytes() for view in views}) == len(views)
    assert {view.grey.shape for view in views} == {(120, 160), (160, 120)}  # some lie


def test_the_thing_stays_in_sight_and_about_as_large() -> None:
    for view in many(picture(alpha=True)):
        assert view.alpha is not None
        seen = view.alpha > 127
        assert 0.45 < seen.sum() / (60 * 100) < 2
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


def test_a_framer_gives_as_many_views_as_asked_the_frame_first() -> None:
    content = cv2.imencode(".png", picture().color)[1].tobytes()  # type: ignore[arg-type]
    item = HeldItem("coat/1.png", content)
    (one,) = Framer("product")([item])
    (several,), (again,) = (Framer("product", views=4)([item]) for _ in range(2))
    (other,) = Framer("product", views=4)([HeldItem("coat/2.png", content)])
    assert isinstance(one, Prepared)
    assert isinstance(several, Prepared)
    assert isinstance(other, Prepared)
    assert several == again
    assert (several.frame() == one.frame()).all()
    assert several.content[:784] == one.content
    frames = np.frombuffer(several.content, np.uint8).reshape(4, 28, 28)
    assert len({frame.tobytes() for frame in frames}) == 4
    assert other.content[784:] != several.content[784:]  # another path, other views


def test_frames_are_not_varied() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (28, 28), np.uint8)
    item = HeldItem("1.png", cv2.imencode(".png", frame)[1].tobytes())
    (result,) = Framer("auto", views=3)([item])
    assert isinstance(result, Prepared)
    assert result.prepared == "frame"
    assert result.content == frame.tobytes() * 3
