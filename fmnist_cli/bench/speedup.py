"""A graph against the framework that it came from; knows neither framework.

Both sides run in this process, in turns, on the same images. A ratio is taken within each
round, so that what slows a round slows both sides of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fmnist_cli.bench.intervals import Estimate, estimate
from fmnist_cli.bench.latency import Clock, Infer, split_batches, time_calls
from fmnist_cli.bench.turns import interleave
from fmnist_cli.contract import Pixels

PARITY_IMAGES = 1000
ROUNDS = 7
TURN_S = 0.1
_PAUSE_S = 0.02  # lets the threads of the turn before go to sleep


@dataclass(frozen=True, slots=True)
class Native:
    """The graph against its native model.

    Attributes:
        framework: such as ``"torch"``.
        images: behind `parity`.
        parity: largest difference of a probability.
        tolerance: how large it may be, from the graph's card.
        speed_up: how many times faster the graph is, by batch size: one image, and the largest.
    """

    framework: str
    images: int
    parity: float
    tolerance: float
    speed_up: Mapping[int, Estimate]


def parity(native: Infer, graph: Infer, pixels: Pixels, batch_size: int) -> float:
    """Largest difference of a probability over uint8 [N, …]."""
    starts = range(0, len(pixels), batch_size)
    batches = [pixels[start : start + batch_size] for start in starts]
    # NumPy's maximum, unlike Python's, is NaN where any value is.
    return float(np.max([np.abs(native(batch) - graph(batch)).max() for batch in batches]))


def speed_up(
    native: Infer,
    graph: Infer,
    pixels: Pixels,
    batch_size: int,
    *,
    rounds: int = ROUNDS,
    turn_s: float = TURN_S,
    clock: Clock = time.perf_counter,
    pause: Callable[[float], object] = time.sleep,
) -> Estimate:
    """How many times faster the graph is: native seconds / graph seconds of a call.

    Args:
        native: the native model.
        graph: the exported one.
        pixels: uint8 [N, …].
        batch_size: images per call.
        rounds: turns of each side.
        turn_s: seconds of a turn; slow sides take longer, as a turn is at least two calls.
        clock: seconds.
        pause: waits between turns.
    """
    batches = split_batches(pixels, batch_size)

    def turn_of(infer: Infer) -> Callable[[], float]:
        def turn() -> float:
            pause(_PAUSE_S)
            time_calls(infer, batches, min_s=turn_s / 10, min_calls=1, clock=clock)
            return float(
                np.median(time_calls(infer, batches, min_s=turn_s, min_calls=2, clock=clock))
            )

        return turn

    seconds = interleave({"native": turn_of(native), "graph": turn_of(graph)}, rounds)
    return estimate([n / g for n, g in zip(seconds["native"], seconds["graph"], strict=True)])
