"""Which pictures are explained."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import encoded, frame
from synthetic import images

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import UsageError
from fmnist_cli.explain.explanation import (
    Explanation,
    Subject,
    class_id,
    from_items,
    from_split,
    one_per_class,
    parse_target,
)
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.sources.items import HeldItem, Item

IMAGES = images(40)


def probabilities() -> Probabilities:
    """Right, but for the images 3, 13 and 20, which it takes for the next class."""
    predicted = IMAGES.labels.copy()
    predicted[[3, 13, 20]] += 1
    return np.full((40, 10), 0.01, np.float32) + 0.9 * np.eye(10, dtype=np.float32)[predicted]


def judge(pixels: Pixels) -> Probabilities:
    """What `probabilities` says of these images."""
    places = [next(n for n in range(40) if np.array_equal(IMAGES.pixels[n], p)) for p in pixels]
    return probabilities()[places]


def infer(pixels: Pixels) -> Probabilities:
    """A model whose answer tells pictures apart."""
    level = pixels.reshape(len(pixels), -1).mean(axis=1) / 255
    return np.stack([level, 1 - level], axis=1).astype(np.float32)


def test_files_keep_their_order_and_none_is_lost() -> None:
    items: list[Item] = [HeldItem(f"{n}.png", encoded(frame(n))) for n in range(301)]
    items[5] = HeldItem("5.png", b"no picture")
    items[300] = HeldItem("300.png", b"")
    subjects, rejected = from_items(items, infer, Settings())
    assert [row.path for row in rejected] == ["5.png", "300.png"]
    assert all(row.error for row in rejected)
    kept = [n for n in range(300) if n != 5]
    assert [subject.source for subject in subjects] == [f"{n}.png" for n in kept]
    for n, subject in zip(kept, subjects, strict=True):
        np.testing.assert_array_equal(subject.pixels, frame(n))
        np.testing.assert_array_equal(subject.probabilities, infer(frame(n)[None])[0])
        assert subject.true is None


def test_the_split_can_be_narrowed_down() -> None:
    def chosen(**options: object) -> list[int | None]:
        return [s.index for s in from_split(IMAGES, "test", judge, **options)]  # type: ignore[arg-type]

    assert chosen(limit=3) == [0, 1, 2]
    assert chosen(class_id=4) == [4, 14, 24, 34]
    assert chosen(wrong_only=True) == [3, 13, 20]
    assert chosen(wrong_only=True, class_id=3, limit=1) == [3]
    assert chosen(index=20, wrong_only=True) == [20]
    subject = from_split(IMAGES, "test", judge, index=20)[0]
    assert (subject.true, subject.predicted, subject.source) == (0, 1, "test 20")
    assert subject.confidence == pytest.approx(0.91)


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(UsageError, match="--index 40 is none of the 40 test images"):
        from_split(IMAGES, "test", judge, index=40)
    with pytest.raises(UsageError, match="no test image is like that"):
        from_split(IMAGES, "test", judge, index=4, wrong_only=True)


def test_the_gallery_has_the_first_right_and_the_first_wrong_of_each_class() -> None:
    chosen = one_per_class(IMAGES, "test", probabilities())
    # Of class 0 image 20 is wrong, of class 3 the images 3 and 13.
    places = [subject.index for subject in chosen]
    assert places == [0, 20, 1, 2, 23, 3, 4, 5, 6, 7, 8, 9]


def test_names_are_those_of_the_model() -> None:
    names = (*CLASS_NAMES, "Hat")
    assert parse_target("hat", names) == 10
    subject = Subject("a.png", IMAGES.pixels[0], np.eye(11, dtype=np.float32)[10])
    found = Explanation(subject, 10, IMAGES.pixels[0], names).to_json()
    assert (found["true"], found["predicted"], found["target"]) == (None, "Hat", "Hat")


def test_targets() -> None:
    assert parse_target("predicted", CLASS_NAMES) == "predicted"
    assert parse_target("true", CLASS_NAMES) == "true"
    assert parse_target("t-shirt/TOP", CLASS_NAMES) == 0
    assert class_id("Ankle boot", "--class", CLASS_NAMES) == 9
    with pytest.raises(UsageError, match=r"'Hat' is no class; choose from predicted, true"):
        parse_target("Hat", CLASS_NAMES)
    with pytest.raises(UsageError, match=f"--class 'true' is no class.*{CLASS_NAMES[-1]}"):
        class_id("true", "--class", CLASS_NAMES)
