"""Items become rows: what a row says follows from its own picture and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, frame, smooth

from fmnist_cli.contract import Picture, Pixels, Prediction, Probabilities, Rejected, Row
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FRAME_SPEC
from fmnist_cli.decode import decode
from fmnist_cli.inference.classifier import ALIGNMENT, Classifier, KnownItem, Route, Settings
from fmnist_cli.inference.models import open_model, shipped_dir
from fmnist_cli.inference.session import Outputs, Session
from fmnist_cli.manifest import Manifest
from fmnist_cli.preprocess import from_frames, preprocess
from fmnist_cli.sources.items import HeldItem, Item, UnreadableItem

CONTENTS = [encoded(frame(seed)) for seed in range(6)] + [
    encoded(smooth(50, 70, 3, seed=1), "JPEG"),
    encoded(smooth(70, 40, 3, seed=2)),
    b"a text",
    b"",
    encoded(frame(9))[:-60],
]


def items(*contents: bytes | Picture) -> list[Item]:
    return [HeldItem(f"{index}.png", content) for index, content in enumerate(contents)]


def halved(value: int) -> Picture:
    """A frame whose upper half has this value; the lower has another, so that it is not blank."""
    pixels = np.full((28, 28), value, np.uint8)
    pixels[14:] = 255 - value
    return Picture(pixels, colorless=True)


Infer = Callable[[Pixels], Probabilities]


def route(infer: Infer) -> Route:
    """A model of frames that says no more than probabilities."""
    return Route(lambda pixels: Outputs(infer(pixels)), FRAME_SPEC, CLASS_NAMES)


def label(infer: Infer, of: list[Item], **settings: object) -> list[Row]:
    return Classifier(route(infer), settings=Settings(**settings))(of)  # type: ignore[arg-type]


def one_hot(pixels: Pixels) -> Probabilities:
    """The class that the first pixel names."""
    return np.eye(10, dtype=np.float32)[pixels[:, 0, 0] % 10]


def test_a_row_says_what_the_model_said(exported_dir: Path) -> None:
    session = Session(open_model("cnn", exported_dir))
    pixels = frame(3)
    (row,) = label(session, items(encoded(pixels)))
    probabilities = session(pixels[None])[0]
    best = np.argsort(-probabilities)[:3]
    assert isinstance(row, Prediction)
    assert row.path == "0.png"
    assert row.class_id == best[0]
    assert row.label == CLASS_NAMES[best[0]]
    assert row.confidence == row.top[0].probability == round(float(probabilities[best[0]]), 6)
    assert [candidate.label for candidate in row.top] == [CLASS_NAMES[i] for i in best]
    assert row.prepared == "frame"


def test_every_row_follows_from_its_own_content() -> None:
    rows = label(one_hot, items(*CONTENTS, *reversed(CONTENTS)))
    assert len(rows) == 2 * len(CONTENTS)
    for row, content in zip(rows, [*CONTENTS, *reversed(CONTENTS)], strict=True):
        if isinstance(row, Rejected):
            assert content in CONTENTS[-3:]
        else:
            pixels, prepared = preprocess(decode(content), FRAME_SPEC)
            assert row.label == CLASS_NAMES[pixels[0, 0] % 10]
            assert row.prepared == prepared


def test_of_equal_classes_the_first_is_named() -> None:
    (row,) = label(lambda pixels: np.full((len(pixels), 10), 0.1, np.float32), items(CONTENTS[0]))
    assert isinstance(row, Prediction)
    assert [candidate.label for candidate in row.top] == list(CLASS_NAMES[:3])


@pytest.mark.parametrize("top_k", [1, 3, 10, 99])
def test_top_k_is_at_most_all(top_k: int) -> None:
    (row,) = label(one_hot, items(CONTENTS[0]), top_k=top_k)
    assert isinstance(row, Prediction)
    assert len(row.top) == min(top_k, 10)


def test_below_the_threshold_the_label_is_unknown() -> None:
    def unsure(pixels: Pixels) -> Probabilities:
        row = np.array([0.0, 0.4, 0.6, *[0.0] * 7], np.float32)
        return np.tile(row, (len(pixels), 1))

    (sure,) = label(unsure, items(CONTENTS[0]), threshold=0.6)
    (row,) = label(unsure, items(CONTENTS[0]), threshold=0.61)
    assert isinstance(sure, Prediction)
    assert isinstance(row, Prediction)
    assert (sure.class_id, sure.label) == (2, "Pullover")
    assert (row.class_id, row.label, row.confidence) == (None, "unknown", 0.6)
    assert row.top == sure.top


def test_limits_reject_with_the_option_that_lifts_them() -> None:
    (row,) = label(one_hot, items(CONTENTS[6]), max_pixels=50 * 70 - 1)
    assert isinstance(row, Rejected)
    assert "50 × 70" in row.error
    assert "--max-pixels" in row.error
    (row,) = label(one_hot, items(CONTENTS[6]), max_bytes=100)
    assert isinstance(row, Rejected)
    assert "--max-bytes" in row.error


def test_a_picture_that_needs_no_decoding() -> None:
    (row,) = label(one_hot, items(halved(7)))
    assert isinstance(row, Prediction)
    assert (row.class_id, row.prepared) == (7, "frame")


def test_known_rows_pass_and_are_not_read() -> None:
    known = Rejected("0.png", "of old")
    of: list[Item] = [KnownItem(UnreadableItem("0.png", "must not be read"), known)]
    assert label(one_hot, of) == [known]


def test_rejected_items_need_no_inference() -> None:
    def never(pixels: Pixels) -> Probabilities:
        raise AssertionError(pixels.shape)

    assert [type(row) for row in label(never, items(b"", b"text"))] == [Rejected, Rejected]


def test_a_batch_is_filled_up_with_black() -> None:
    seen: list[Pixels] = []

    def infer(pixels: Pixels) -> Probabilities:
        seen.append(pixels.copy())
        return one_hot(pixels)

    classifier = Classifier(route(infer))
    white = halved(255)
    classifier(items(*[white] * 11))
    classifier(items(white, white))
    classifier(items(white))
    assert ALIGNMENT == 2
    assert [pixels[:, 0, 0].tolist() for pixels in seen] == [
        [255] * 11 + [0],
        [255] * 2,
        [255, 0],
    ]


def test_threads_share_a_classifier_without_mixing_rows() -> None:
    barrier = threading.Barrier(4)

    def infer(pixels: Pixels) -> Probabilities:
        barrier.wait(20)  # all four have filled their buffers
        return one_hot(pixels)

    classifier = Classifier(route(infer))
    chunks = [items(*[halved(value)] * 5) for value in range(4)]
    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(classifier, chunks))
    for value, rows in enumerate(found):
        assert [row.class_id for row in rows if isinstance(row, Prediction)] == [value] * 5


@pytest.mark.parametrize("name", list(Manifest.read(shipped_dir()).models))
def test_a_row_does_not_depend_on_its_batch(name: str) -> None:
    """Bit for bit, for every shipped model: whatever the batch, wherever in it."""
    session = Session(open_model(name, shipped_dir()))
    rng = np.random.default_rng(7)
    # Half noise, half smooth shapes, so that probabilities are neither all 0 nor all 1.
    count = 60 if session.spec == FRAME_SPEC else 10  # larger ones take longer
    shapes = [smooth(28, 28, seed=seed).reshape(28, 28) for seed in range(count)]
    frames = np.stack([*shapes, *rng.integers(0, 256, (count + 1, 28, 28), dtype=np.uint8)])
    of = [
        HeldItem(str(index), Picture(single, colorless=True)) for index, single in enumerate(frames)
    ]
    pixels = from_frames(frames, session.spec)
    whole = session(pixels)  # the rows below are rounded, these are not
    for part in (slice(1, None), slice(2, 9), slice(count, count + 3), slice(-2, None)):
        np.testing.assert_array_equal(session(pixels[part]), whole[part])
    own = route(session)._replace(spec=session.spec)
    classifier = Classifier(own, settings=Settings(top_k=10))
    alone = [classifier([item])[0] for item in of]
    for size in (2, 3, 7, 8, 16, 33, 64, 121):
        batched = [row for at in range(0, len(of), size) for row in classifier(of[at : at + size])]
        assert batched == alone, size
