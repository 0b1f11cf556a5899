"""Measuring several models side by side.

Accuracy is measured once per model. Time is measured in rounds: in each round every model has
one turn, so that a machine that gets slower or faster does so for all of them, and what is
reported is the median over the rounds. A turn starts from the file and ends with the session
gone, so no thread of one model disturbs the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

import numpy as np

from fmnist_cli.bench.latency import (
    Clock,
    Infer,
    Latency,
    images_per_s_of,
    latency_of,
    split_batches,
    time_calls,
)
from fmnist_cli.contract import CLASS_NAMES, SIDE, Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.evaluate.metrics import evaluate
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import ModelFile

NOISE_LIMIT = 1.3  # spread over rounds from which timings are not to be trusted
TIMED_IMAGES = 1024  # images that timed calls are made of
_MIN_SINGLE_CALLS = 100  # a 99th percentile of fewer calls is their maximum
_MIN_BATCH_CALLS = 3
_WARM_UP_SHARE = 0.1
_WARM_UP_CALLS = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """How time is measured.

    Attributes:
        threads: ONNX Runtime's threads within one call.
        seconds_per_model: time for the calls of one model over all rounds, warm-up included;
            slow models take longer, as each turn makes a minimum number of calls.
        rounds: turns per model.
        batch_sizes: images per call of the throughput measurement.
    """

    threads: int
    seconds_per_model: float
    rounds: int = 5
    batch_sizes: tuple[int, ...] = (1, 16, 64, 256)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to measure.

    Attributes:
        name: unique name in the results.
        file: the checked file.
        load: reads and checks the file again and makes it ready to run.
    """

    name: str
    file: ModelFile
    load: Callable[[], Session]


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a model is on the test split; accuracy and macro-averaged F1 from 0 to 1."""

    images: int
    accuracy: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Turn:
    """Timings of one model in one round.

    Attributes:
        load_s: seconds from the (cached) file to a session that is ready to run.
        latency: of single-image calls.
        images_per_s: throughput for each batch size.
    """

    load_s: float
    latency: Latency
    images_per_s: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the rounds.

    Attributes:
        load_s: seconds from the (cached) file to a session that is ready to run.
        latency: median of each percentile; `calls` is the sum.
        latency_spread: largest / smallest p50 over the rounds.
        images_per_s: throughput at the best batch size.
        batch_size: the batch size with the highest median throughput.
        images_per_s_by_batch_size: all of them.
        images_per_s_spread: largest / smallest throughput at the best batch size.
        rounds: the turns behind these figures.
    """

    load_s: float
    latency: Latency
    latency_spread: float
    images_per_s: float
    batch_size: int
    images_per_s_by_batch_size: Mapping[int, float]
    images_per_s_spread: float
    rounds: tuple[Turn, ...]

    @property
    def spread(self) -> float:
        """The larger of the two spreads."""
        return max(self.latency_spread, self.images_per_s_spread)


@dataclass(frozen=True, slots=True)
class Result:
    """Accuracy and cost of one model.

    Attributes:
        title: name for people.
        sha256: of the file.
        file_bytes: its size.
        parameters: numbers the graph holds; None for a file without a manifest.
        quality: None where it could not be measured.
        timing: what it costs.
    """

    title: str
    sha256: str
    file_bytes: int
    parameters: int | None
    quality: Quality | None
    timing: Timing


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with a number: ``a, b, a`` → ``a, b, a #2``."""
    result: list[str] = []
    for name in names:
        unique, count = name, 1
        while unique in result:
            count += 1
            unique = f"{name} #{count}"
        result.append(unique)
    return result


def random_pixels(images: int = TIMED_IMAGES, seed: int = 0) -> Pixels:
    """Noise, uint8 [images, 28, 28]: good enough for timing, the same every time."""
    return np.random.default_rng(seed).integers(0, 256, (images, SIDE, SIDE), dtype=np.uint8)


def measure_quality(session: Session, images: LabelledImages) -> Quality | None:
    """Accuracy and macro F1 through ONNX Runtime; None for a model of other classes."""
    names = session.card.class_names
    if names != CLASS_NAMES:
        return None
    evaluation = evaluate(session.probabilities(images.pixels), images.labels, names)
    return Quality(evaluation.images, evaluation.accuracy, evaluation.macro.f1)


def take_turn(
    load: Callable[[], Infer], pixels: Pixels, plan: Plan, clock: Clock = time.perf_counter
) -> Turn:
    """Load a model and time it: single images with half of the time, then each batch size.

    Args:
        load: makes the model ready; timed as well.
        pixels: uint8 [N, 28, 28], the images that calls are made of.
        plan: of which one round is done.
        clock: seconds.
    """
    started = clock()
    infer = load()
    load_s = clock() - started
    half_s = plan.seconds_per_model / plan.rounds / 2

    def durations_s(batch_size: int, share_s: float, min_calls: int) -> list[float]:
        batches = split_batches(pixels, batch_size)
        warm_up_s = _WARM_UP_SHARE * share_s
        time_calls(infer, batches, min_s=warm_up_s, min_calls=_WARM_UP_CALLS, clock=clock)
        timed_s = share_s - warm_up_s
        return time_calls(infer, batches, min_s=timed_s, min_calls=min_calls, clock=clock)

    latency = latency_of(durations_s(1, half_s, _MIN_SINGLE_CALLS))
    share_s = half_s / len(plan.batch_sizes)
    images_per_s = {
        size: images_per_s_of(durations_s(size, share_s, _MIN_BATCH_CALLS), size)
        for size in plan.batch_sizes
    }
    return Turn(load_s, latency, images_per_s)


def interleave(turns: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Results of `rounds` calls of each, taken in turn: a, b, c, a, b, c."""
    results: dict[str, list[T]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            results[name].append(turn())
    return results


def spread(values: Sequence[float]) -> float:
    """Largest / smallest value, 1 where all are the same."""
    return max(values) / min(values)


def summarise(turns: Sequence[Turn]) -> Timing:
    """Medians and spreads over the rounds of one model."""
    latencies = [turn.latency for turn in turns]
    by_size = {
        size: median(turn.images_per_s[size] for turn in turns) for size in turns[0].images_per_s
    }
    best = max(by_size, key=by_size.__getitem__)
    return Timing(
        load_s=median(turn.load_s for turn in turns),
        latency=Latency(
            calls=sum(latency.calls for latency in latencies),
            p50_ms=median(latency.p50_ms for latency in latencies),
            p95_ms=median(latency.p95_ms for latency in latencies),
            p99_ms=median(latency.p99_ms for latency in latencies),
        ),
        latency_spread=spread([latency.p50_ms for latency in latencies]),
        images_per_s=by_size[best],
        batch_size=best,
        images_per_s_by_batch_size=by_size,
        images_per_s_spread=spread([turn.images_per_s[best] for turn in turns]),
        rounds=tuple(turns),
    )


def noisy_models(results: Mapping[str, Result], limit: float = NOISE_LIMIT) -> list[str]:
    """Names of the models whose timings differ between rounds by more than the limit."""
    return [name for name, result in results.items() if result.timing.spread > limit]


def run(
    candidates: Sequence[Candidate],
    plan: Plan,
    images: LabelledImages | None,
    on_step: Callable[[str], None] = lambda _: None,
) -> dict[str, Result]:
    """Measure all models, in the order given.

    Args:
        candidates: with unique names.
        plan: how to measure time.
        images: the test split; without it there is no accuracy, and timing uses noise.
        on_step: told what happens next.

    Raises:
        ModelError: a file is no usable model.
    """
    pixels = random_pixels() if images is None else images.pixels[:TIMED_IMAGES]
    quality: dict[str, Quality | None] = {}
    for candidate in candidates:
        on_step(f"{candidate.name}: accuracy")
        session = candidate.load()  # also finds unusable files before time is spent on others
        quality[candidate.name] = None if images is None else measure_quality(session, images)
        del session

    def turn_of(candidate: Candidate) -> Callable[[], Turn]:
        def turn() -> Turn:
            on_step(f"{candidate.name}: latency and throughput")
            return take_turn(candidate.load, pixels, plan)

        return turn

    turns = interleave({c.name: turn_of(c) for c in candidates}, plan.rounds)
    results: dict[str, Result] = {}
    for candidate in candidates:
        name, file = candidate.name, candidate.file
        results[name] = Result(
            title=file.entry.title if file.entry else file.name,
            sha256=file.sha256,
            file_bytes=len(file.content),
            parameters=file.entry.parameters if file.entry else None,
            quality=quality[name],
            timing=summarise(turns[name]),
        )
    return results
