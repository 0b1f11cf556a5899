from __future__ import annotations

import numpy as np
import pytest

from fmnist_cli.bench.measure import (
    images_per_s_of,
    latency_of,
    split_batches,
    time_calls,
)
from fmnist_cli.contract import Pixels, Probabilities


class FakeModel:
    """A model and a clock in one: each call takes the next of the given durations, in turn."""

    def __init__(self, *durations_s: float) -> None:
        self.durations_s = durations_s
        self.now_s = 100.0
        self.seen: list[Pixels] = []

    def clock(self) -> float:
        return self.now_s

    def __call__(self, pixels: Pixels) -> Probabilities:
        self.now_s += self.durations_s[len(self.seen) % len(self.durations_s)]
        self.seen.append(pixels)
        return np.full((len(pixels), 10), 0.1, np.float32)


def frames(count: int) -> Pixels:
    return np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8)


def test_latency_is_in_milliseconds() -> None:
    latency = latency_of([0.001 * n for n in range(100, 0, -1)])
    assert latency == pytest.approx({"calls": 100, "p50_ms": 50, "p95_ms": 95, "p99_ms": 99})


def test_throughput_counts_images_not_calls() -> None:
    assert images_per_s_of([0.5, 1.5], batch_size=64) == pytest.approx(64)


def test_calls_go_on_until_the_time_is_up() -> None:
    model = FakeModel(0.25)
    durations_s = time_calls(model, [frames(1)], min_s=1, min_calls=2, clock=model.clock)
    assert durations_s == [0.25] * 4


def test_calls_go_on_until_there_are_enough() -> None:
    model = FakeModel(2, 4)
    durations_s = time_calls(model, [frames(1)], min_s=1, min_calls=3, clock=model.clock)
    assert durations_s == [2, 4, 2]


def test_batches_are_taken_in_turn() -> None:
    model = FakeModel(1)
    batches = split_batches(frames(3), 1)
    time_calls(model, batches, min_s=0, min_calls=5, clock=model.clock)
    assert [int(pixels[0, 0, 0]) for pixels in model.seen] == [0, 1, 2, 0, 1]


def test_batches_are_full_and_too_few_images_are_repeated() -> None:
    assert [batch[:, 0, 0].tolist() for batch in split_batches(frames(5), 2)] == [[0, 1], [2, 3]]
    assert [batch[:, 0, 0].tolist() for batch in split_batches(frames(2), 5)] == [[0, 1, 0, 1, 0]]
    (whole,) = split_batches(frames(4), 4)
    assert whole.shape == (4, 28, 28)
    assert whole.dtype == np.uint8
