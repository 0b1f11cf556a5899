from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import encoded, frame, smooth

from fmnist_cli.contract import CLASS_NAMES, Pixels, Probabilities
from fmnist_cli.errors import ImageError
from fmnist_cli.machine import available_cores
from fmnist_cli.prepare import prepare
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.rows import Prediction, Rejected, Row
from fmnist_cli.runtime.runner import Infer, classify_items
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.sources.base import Item
from fmnist_cli.runtime.store import open_model

CONTENTS = [encoded(frame(seed)) for seed in range(6)] + [
    encoded(smooth(50, 70, 3, seed=1), "JPEG"),
    encoded(smooth(70, 40, 3, seed=2)),
    b"a text",
    b"",
    encoded(frame(9))[:-60],
]


@pytest.fixture(scope="module")
def session(exported_dir: Path) -> Session:
    return Session(open_model("cnn", exported_dir))


def item(index: int, content: bytes) -> Item:
    return Item(f"{index}.png", lambda: content)


def some_items(count: int) -> list[Item]:
    return [item(index, CONTENTS[index % len(CONTENTS)]) for index in range(count)]


def classify(
    items: list[Item], infer: Infer, *, workers: int = 2, batch_size: int = 4, top_k: int = 3
) -> list[Row]:
    chunks = classify_items(
        items, infer, CLASS_NAMES, workers=workers, batch_size=batch_size, top_k=top_k
    )
    return [row for rows in chunks for row in rows]


def one_hot(pixels: Pixels) -> Probabilities:
    """The class that the first pixel names."""
    return np.eye(10, dtype=np.float32)[pixels[:, 0, 0] % 10]


def test_a_row_says_what_the_model_said(session: Session) -> None:
    pixels = frame(3)
    (row,) = classify([item(0, encoded(pixels))], session)
    probabilities = session(pixels[None])[0]
    best = np.argsort(-probabilities)[:3]
    assert isinstance(row, Prediction)
    assert row.path == "0.png"
    assert row.class_id == best[0]
    assert row.label == CLASS_NAMES[best[0]]
    assert row.confidence == row.top[0].probability == round(float(probabilities[best[0]]), 6)
    assert [candidate.label for candidate in row.top] == [CLASS_NAMES[i] for i in best]
    assert [c.probability for c in row.top] == pytest.approx(probabilities[best], abs=1e-6)
    assert row.prepared == "frame"


def test_of_equal_classes_the_first_is_named() -> None:
    def undecided(pixels: Pixels) -> Probabilities:
        return np.full((len(pixels), 10), 0.1, np.float32)

    (row,) = classify([item(0, CONTENTS[0])], undecided)
    assert isinstance(row, Prediction)
    assert [candidate.label for candidate in row.top] == list(CLASS_NAMES[:3])


def test_top_k_sets_the_number_of_candidates() -> None:
    for top_k in (1, 10):
        (row,) = classify([item(0, CONTENTS[0])], one_hot, top_k=top_k)
        assert isinstance(row, Prediction)
        assert len(row.top) == top_k


def test_the_tiny_model_does_not_always_say_the_same(session: Session) -> None:
    rows = classify([item(i, encoded(smooth(28, 28, seed=i)[..., 0])) for i in range(20)], session)
    assert len({row.label for row in rows if isinstance(row, Prediction)}) > 3


@pytest.mark.parametrize("batch_size", [1, 7, 512])
@pytest.mark.parametrize("workers", [1, 4])
def test_parallel_equals_serial(session: Session, workers: int, batch_size: int) -> None:
    items = some_items(60)
    rows = classify(items, session, workers=workers, batch_size=batch_size)
    serial = classify(items, session, workers=1, batch_size=1)
    assert [row.path for row in rows] == [item.path for item in items]
    for row, other in zip(rows, serial, strict=True):
        assert type(row) is type(other)
        if isinstance(row, Prediction) and isinstance(other, Prediction):
            assert (row.class_id, row.prepared) == (other.class_id, other.prepared)
            assert row.confidence == pytest.approx(other.confidence, abs=2e-6)
        else:
            assert row == other


def test_rows_keep_their_order_when_a_later_chunk_is_done_first() -> None:
    later_is_done = threading.Event()

    def infer(pixels: Pixels) -> Probabilities:
        if (pixels[0] == decode(CONTENTS[0]).grey).all():
            assert later_is_done.wait(20)
        else:
            later_is_done.set()
        return one_hot(pixels)

    rows = classify([item(i, CONTENTS[i]) for i in range(2)], infer, workers=2, batch_size=1)
    assert [row.path for row in rows] == ["0.png", "1.png"]


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    choice=st.lists(st.integers(0, len(CONTENTS) - 1), max_size=40),
    workers=st.integers(1, 4),
    batch_size=st.integers(1, 9),
)
def test_each_input_has_its_own_row_in_order(
    choice: list[int], workers: int, batch_size: int
) -> None:
    items = [item(index, CONTENTS[kind]) for index, kind in enumerate(choice)]
    rows = classify(items, one_hot, workers=workers, batch_size=batch_size)
    assert [row.path for row in rows] == [entry.path for entry in items]
    for row, kind in zip(rows, choice, strict=True):
        assert_says(row, CONTENTS[kind])


def assert_says(row: Row, content: bytes) -> None:
    """Never the neighbour's: what a row says follows from its own bytes alone."""
    if isinstance(row, Rejected):
        with pytest.raises(ImageError) as caught:
            decode(content)
        assert row.error == str(caught.value)
    else:
        pixels, prepared = prepare(decode(content))
        assert (row.class_id, row.prepared) == (pixels[0, 0] % 10, prepared)


def test_no_items_give_no_rows(session: Session) -> None:
    assert list(classify_items([], session, CLASS_NAMES)) == []


def test_chunks_of_rejected_items_need_no_inference() -> None:
    def never(pixels: Pixels) -> Probabilities:
        raise AssertionError(pixels.shape)

    rows = classify([item(0, b""), item(1, b"text")], never)
    assert [type(row) for row in rows] == [Rejected, Rejected]


class CountingSource:
    """Items without end, and how many were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Item]:
        while True:
            self.taken += 1
            yield item(self.taken, CONTENTS[0])


@pytest.mark.parametrize(("workers", "batch_size"), [(1, 1), (3, 5)])
def test_no_more_items_are_taken_than_are_needed_soon(workers: int, batch_size: int) -> None:
    source = CountingSource()
    chunks = classify_items(source, one_hot, CLASS_NAMES, workers=workers, batch_size=batch_size)
    assert source.taken == 0
    yielded = 0
    for _ in range(30):
        yielded += len(next(chunks))
        assert source.taken <= yielded + 2 * workers * batch_size
    chunks.close()
    assert source.taken <= yielded + 2 * workers * batch_size


@pytest.mark.parametrize("workers", [1, 4])
def test_a_failure_of_the_model_ends_the_run(workers: int) -> None:
    def broken(pixels: Pixels) -> Probabilities:
        raise RuntimeError("out of order")

    chunks = classify_items(CountingSource(), broken, CLASS_NAMES, workers=workers, batch_size=2)
    with pytest.raises(RuntimeError, match="out of order"):
        next(chunks)
    assert not [t for t in threading.enumerate() if t.name.startswith("classify")]


def test_a_failure_of_the_source_ends_the_run() -> None:
    def failing() -> Iterator[Item]:
        yield item(0, CONTENTS[0])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(classify_items(failing(), one_hot, CLASS_NAMES, workers=2, batch_size=1))
    assert not [t for t in threading.enumerate() if t.name.startswith("classify")]


def test_an_abandoned_run_leaves_no_threads() -> None:
    chunks = classify_items(CountingSource(), one_hot, CLASS_NAMES, workers=3, batch_size=2)
    next(chunks)
    chunks.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("classify")]


def test_there_is_at_least_one_core() -> None:
    assert available_cores() >= 1
