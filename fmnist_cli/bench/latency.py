"""Timing calls of a model: durations first, then the figures made of them.

Nothing here knows ONNX Runtime or real time: `infer` and `clock` are handed in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from fmnist_cli.contract import Pixels, Probabilities

Infer = Callable[[Pixels], Probabilities]
Clock = Callable[[], float]  # seconds, never going back


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a single image takes, from the call to its probabilities.

    Attributes:
        calls: number of calls behind the percentiles.
        p50_ms: median, in milliseconds.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values do not exceed (nearest rank)."""
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def split_batches(pixels: Pixels, batch_size: int) -> list[Pixels]:
    """Every full batch of uint8 [N, …], `batch_size` long; too few images are repeated."""
    if len(pixels) < batch_size:
        pixels = np.take(pixels, range(batch_size), axis=0, mode="wrap")
    stops = range(batch_size, len(pixels) + 1, batch_size)
    return [pixels[stop - batch_size : stop] for stop in stops]


def time_calls(
    infer: Infer,
    batches: Sequence[Pixels],
    *,
    min_s: float,
    min_calls: int,
    clock: Clock = time.perf_counter,
) -> list[float]:
    """Seconds of each call, one after the other, the batches taken in turn.

    Calls go on until `min_s` seconds have passed and `min_calls` calls were made.
    """
    durations_s: list[float] = []
    started = clock()
    for batch in cycle(batches):
        before = clock()
        infer(batch)
        after = clock()
        durations_s.append(after - before)
        if after - started >= min_s and len(durations_s) >= min_calls:
            break
    return durations_s


def latency_of(durations_s: Sequence[float]) -> Latency:
    """The percentiles of single-image calls that took these seconds."""
    p50_ms, p95_ms, p99_ms = (1000 * percentile(durations_s, p) for p in (50, 95, 99))
    return Latency(len(durations_s), p50_ms, p95_ms, p99_ms)


def images_per_s_of(durations_s: Sequence[float], batch_size: int) -> float:
    """Throughput of calls with `batch_size` images each that took these seconds."""
    return batch_size * len(durations_s) / sum(durations_s)
