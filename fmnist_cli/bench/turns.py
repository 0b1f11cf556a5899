"""Turns of single models, and the figures made of all turns of one.

A turn starts from the file and ends with its sessions gone, so no thread of one model disturbs
the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fmnist_cli.bench.intervals import Estimate, estimate, spread
from fmnist_cli.bench.latency import (
    Clock,
    Infer,
    Latency,
    images_per_s_of,
    latency_of,
    split_batches,
    time_calls,
)
from fmnist_cli.bench.plan import Plan
from fmnist_cli.contract import Pixels

_MIN_SINGLE_CALLS = 100  # a 99th percentile of fewer calls is their maximum
_MIN_BATCH_CALLS = 2
_WARM_UP_SHARE = 0.1
_WARM_UP_CALLS = {True: 3, False: 1}  # single images, batches

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """Timings of one model in one round.

    Attributes:
        load_s: seconds from the (cached) file to a session that is ready to run.
        latency: of single-image calls, with the plan's threads.
        images_per_s: throughput by number of threads, then by batch size.
    """

    load_s: float
    latency: Latency
    images_per_s: Mapping[int, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Median and 95 % interval over the rounds; see `Turn` for what each is."""

    load_s: Estimate
    p50_ms: Estimate
    p95_ms: Estimate
    p99_ms: Estimate
    images_per_s: Mapping[int, Mapping[int, Estimate]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the rounds.

    Attributes:
        load_s: seconds from the (cached) file to a session that is ready to run.
        latency: median of each percentile; `calls` is the sum.
        latency_spread: largest / smallest p50 over the rounds.
        images_per_s: throughput at the best batch size, with the plan's threads.
        batch_size: the batch size with the highest median throughput.
        images_per_s_by_batch_size: all of them, with the plan's threads.
        images_per_s_spread: largest / smallest throughput at the best batch size.
        intervals: how far to trust each.
        rounds: the turns behind these figures.
    """

    load_s: float
    latency: Latency
    latency_spread: float
    images_per_s: float
    batch_size: int
    images_per_s_by_batch_size: Mapping[int, float]
    images_per_s_spread: float
    intervals: Intervals
    rounds: tuple[Turn, ...]

    @property
    def spread(self) -> float:
        """The larger of the two spreads."""
        return max(self.latency_spread, self.images_per_s_spread)


def take_turn(
    load: Callable[[int], Infer], pixels: Pixels, plan: Plan, clock: Clock = time.perf_counter
) -> Turn:
    """Load a model and time it: single images with half of the time, then each batch size.

    Args:
        load: makes the model ready to run on so many threads; timed as well.
        pixels: uint8 [N, …], the images that calls are made of.
        plan: of which one round is done.
        clock: seconds.
    """
    half_s = plan.seconds_per_model / plan.rounds / 2
    share_s = half_s / len(plan.batch_sizes) / len(plan.thread_counts)

    def durations_s(infer: Infer, batch_size: int, total_s: float, min_calls: int) -> list[float]:
        batches = split_batches(pixels, batch_size)
        warm_up_s, warm_up_calls = _WARM_UP_SHARE * total_s, _WARM_UP_CALLS[batch_size == 1]
        time_calls(infer, batches, min_s=warm_up_s, min_calls=warm_up_calls, clock=clock)
        timed_s = total_s - warm_up_s
        return time_calls(infer, batches, min_s=timed_s, min_calls=min_calls, clock=clock)

    def throughput(infer: Infer) -> dict[int, float]:
        return {
            size: images_per_s_of(durations_s(infer, size, share_s, _MIN_BATCH_CALLS), size)
            for size in plan.batch_sizes
        }

    started = clock()
    infer = load(plan.threads)
    load_s = clock() - started
    latency = latency_of(durations_s(infer, 1, half_s, _MIN_SINGLE_CALLS))
    images_per_s = {plan.threads: throughput(infer)}
    for threads in plan.thread_counts:
        if threads not in images_per_s:
            del infer  # and its threads
            infer = load(threads)
            images_per_s[threads] = throughput(infer)
    return Turn(load_s, latency, dict(sorted(images_per_s.items())))


def interleave(turns: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Results of `rounds` calls of each, taken in turn: a, b, c, c, b, a, a, b, c.

    The order turns round each time, so that none always has the same neighbour before it.
    """
    names = list(turns)
    results: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            results[name].append(turns[name]())
    return results


def summarise(turns: Sequence[Turn], threads: int) -> Timing:
    """Medians, intervals and spreads over the rounds of one model, run on so many threads."""
    latencies = [turn.latency for turn in turns]
    intervals = Intervals(
        load_s=estimate([turn.load_s for turn in turns]),
        p50_ms=estimate([latency.p50_ms for latency in latencies]),
        p95_ms=estimate([latency.p95_ms for latency in latencies]),
        p99_ms=estimate([latency.p99_ms for latency in latencies]),
        images_per_s={
            count: {
                size: estimate([turn.images_per_s[count][size] for turn in turns])
                for size in by_size
            }
            for count, by_size in turns[0].images_per_s.items()
        },
    )
    by_size = {size: found.median for size, found in intervals.images_per_s[threads].items()}
    best = max(by_size, key=by_size.__getitem__)
    return Timing(
        load_s=intervals.load_s.median,
        latency=Latency(
            calls=sum(latency.calls for latency in latencies),
            p50_ms=intervals.p50_ms.median,
            p95_ms=intervals.p95_ms.median,
            p99_ms=intervals.p99_ms.median,
        ),
        latency_spread=spread([latency.p50_ms for latency in latencies]),
        images_per_s=by_size[best],
        batch_size=best,
        images_per_s_by_batch_size=by_size,
        images_per_s_spread=spread([turn.images_per_s[threads][best] for turn in turns]),
        intervals=intervals,
        rounds=tuple(turns),
    )
