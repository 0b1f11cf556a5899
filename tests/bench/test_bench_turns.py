from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from fmnist_cli.bench.measure import random_pixels
from fmnist_cli.bench.rounds import Plan, Turn, interleave, summarise, take_turn
from fmnist_cli.contract import Pixels, Probabilities


class FakeMachine:
    """Time passes by loading, by calling, and by the image; nothing else takes any.

    Two threads halve the time of an image.
    """

    def __init__(self, load_s: float, call_s: float, image_s: float) -> None:
        self.load_s, self.call_s, self.image_s = load_s, call_s, image_s
        self.now_s = 0.0
        self.loads: list[int] = []
        self.batch_sizes: list[int] = []

    def clock(self) -> float:
        return self.now_s

    def load(self, threads: int) -> FakeMachine:
        self.now_s += self.load_s
        self.loads.append(threads)
        return self

    def __call__(self, pixels: Pixels) -> Probabilities:
        self.now_s += self.call_s + self.image_s * len(pixels) / self.loads[-1]
        self.batch_sizes.append(len(pixels))
        return np.full((len(pixels), 10), 0.1, np.float32)


def turn(p50_ms: float, images_per_s: dict[str, float], load_s: float = 0.1) -> Turn:
    latency = {"calls": 100, "p50_ms": p50_ms, "p95_ms": 2 * p50_ms, "p99_ms": 3 * p50_ms}
    return {"load_s": load_s, "latency": latency, "images_per_s": {"1": images_per_s}}


def test_rounds_visit_every_model_before_any_comes_again() -> None:
    order: list[str] = []

    def take(name: str) -> int:
        order.append(name)
        return len(order)

    results = interleave({name: partial(take, name) for name in "abc"}, rounds=3)
    assert order == list("abccbaabc")
    assert results == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_a_turn_loads_once_and_measures_single_images_then_each_batch_size() -> None:
    machine = FakeMachine(load_s=0.5, call_s=0.001, image_s=0.001)
    plan = Plan(threads=1, seconds_per_model=4, rounds=2, batch_sizes=(1, 9))
    result = take_turn(machine.load, random_pixels((28, 28), 20), plan, machine.clock)
    assert machine.loads == [1]
    assert result["load_s"] == pytest.approx(0.5)
    assert result["latency"]["p50_ms"] == pytest.approx(2)
    assert result["latency"]["p99_ms"] == pytest.approx(2)
    assert result["images_per_s"] == {"1": pytest.approx({"1": 500, "9": 900})}
    assert machine.batch_sizes == sorted(machine.batch_sizes)
    # A round's share of the budget, over-run by no more than the last call of each loop.
    assert machine.now_s - 0.5 == pytest.approx(2, abs=0.05)


def test_throughput_is_measured_with_one_thread_too_and_latency_with_all() -> None:
    machine = FakeMachine(load_s=0.5, call_s=0, image_s=0.002)
    plan = Plan(threads=2, seconds_per_model=4, rounds=2, batch_sizes=(1, 9))
    result = take_turn(machine.load, random_pixels((28, 28), 20), plan, machine.clock)
    assert machine.loads == [2, 1]
    assert result["load_s"] == pytest.approx(0.5)
    assert result["latency"]["p50_ms"] == pytest.approx(1)
    assert list(result["images_per_s"]) == ["1", "2"]
    assert result["images_per_s"]["1"] == pytest.approx({"1": 500, "9": 500})
    assert result["images_per_s"]["2"] == pytest.approx({"1": 1000, "9": 1000})
    assert machine.now_s - 1 == pytest.approx(2, abs=0.1)


def test_a_slow_model_still_makes_enough_calls_for_its_percentiles() -> None:
    machine = FakeMachine(load_s=0, call_s=1, image_s=0)
    plan = Plan(threads=1, seconds_per_model=0.1, batch_sizes=(4,))
    result = take_turn(machine.load, random_pixels((28, 28), 8), plan, machine.clock)
    assert result["latency"]["calls"] == 100
    assert machine.batch_sizes.count(1) == 103
    assert machine.batch_sizes.count(4) == 3


def test_the_summary_is_the_median_round_at_the_best_batch_size() -> None:
    turns = [
        turn(1.0, {"1": 10, "64": 100}, load_s=0.3),
        turn(4.0, {"1": 500, "64": 90}, load_s=0.1),
        turn(2.0, {"1": 20, "64": 120}, load_s=0.2),
    ]
    timing = summarise(turns, threads=1)
    assert timing["load_s"] == 0.2
    assert timing["latency"] == {"calls": 300, "p50_ms": 2.0, "p95_ms": 4.0, "p99_ms": 6.0}
    assert timing["latency_spread"] == 4
    assert timing["images_per_s_by_batch_size"] == {"1": 20, "64": 100}
    assert (timing["batch_size"], timing["images_per_s"]) == (64, 100)
    assert timing["images_per_s_spread"] == pytest.approx(120 / 90)
    assert timing["rounds"] == turns
    # Of three rounds the interval is all that was seen.
    assert timing["intervals"]["p50_ms"] == {"median": 2, "low": 1, "high": 4}
    assert timing["intervals"]["images_per_s"]["1"]["64"]["median"] == 100
