"""Rounds of timing and runs whose memory is measured, each in a process of its own.

How fast a model is differs between processes by more than between calls: where its memory lies
and on which cores its threads begin is settled once per process. Rounds within one process share
that, and their interval would leave it out (Kalibera and Jones 2013, "Rigorous Benchmarking in
Reasonable Time": repeat at the highest level that varies). So the unit of what is estimated is a
round, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import comb
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple, TypedDict, TypeVar

import numpy as np

from fmnist_cli.bench.measure import (
    Clock,
    Infer,
    Latency,
    images_per_s_of,
    latency_of,
    random_pixels,
    split_batches,
    time_calls,
)
from fmnist_cli.contract import Pixels
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session

_ROOT = Path(__file__).resolve().parents[2]
_STATUS = Path("/proc/self/status")
_BATCH_BYTES = 4 * 2**20  # pixels of a batch; larger ones of large images take seconds
_MIN_SINGLE_CALLS = 100  # a 99th percentile of fewer calls is their maximum
_MIN_BATCH_CALLS = 2
_LEVEL = 0.95  # of intervals
_WARM_UP_SHARE = 0.1
_WARM_UP_CALLS = {True: 3, False: 1}  # single images, batches

Percentile = Literal["p50_ms", "p95_ms", "p99_ms"]
PERCENTILES: tuple[Percentile, ...] = ("p50_ms", "p95_ms", "p99_ms")
Say = Callable[[str], object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """How time is measured.

    Attributes:
        threads: ONNX Runtime's threads within one call.
        seconds_per_model: time for the calls of one model over all rounds, warm-up included;
            slow models take longer, as each turn makes a minimum number of calls.
        rounds: turns per model, each round in a process of its own.
        batch_sizes: images per call of the throughput measurement, ascending.
    """

    threads: int
    seconds_per_model: float
    rounds: int = 5
    batch_sizes: tuple[int, ...] = (1, 16, 64, 256)

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """Threads that throughput is measured with: one, and `threads`."""
        return tuple(sorted({1, self.threads}))

    def bounded(self, image_bytes: int) -> Plan:
        """The plan for images of this size: without batches that are too large for them."""
        sizes = [size for size in self.batch_sizes if size * image_bytes <= _BATCH_BYTES]
        return replace(self, batch_sizes=tuple(sizes) or self.batch_sizes[:1])


class Turn(TypedDict):
    """Timings of one model in one round, as JSON values.

    `load_s` is from the (cached) file to a session that is ready to run, `latency` of single-image
    calls with the plan's threads, `images_per_s` by number of threads, then by batch size.
    """

    load_s: float
    latency: Latency
    images_per_s: dict[str, dict[str, float]]


def run_python(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python that imports this very package, to its end.

    The working directory is no place to import from: a file ``json.py`` in it would be taken
    for the standard library's.
    """
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, "-P", "-c", program, *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a failed process wrote to standard error, hints aside."""
    lines = [line for line in done.stderr.strip().splitlines() if not line.startswith("hint: ")]
    return (lines or ["no message"])[-1]


def _child(function: Callable[[], None], what: str, *words: str) -> str:
    """Standard output of a function of this module in a process of its own.

    Raises:
        ModelError: the process failed.
    """
    name = function.__name__
    done = run_python(f"from {__name__} import {name}; {name}()", *words)
    if done.returncode:
        raise ModelError(f"{what} ended with exit code {done.returncode}: {last_words(done)}")
    return done.stdout


def _load(path: Path, threads: int) -> Session:
    return Session(ModelFile.of(path.stem, path, path.read_bytes()), threads)


def take_rounds(
    files: Mapping[str, ModelFile],
    plan: Plan,
    pixels: Mapping[str, Pixels],
    on_step: Say = lambda _: None,
) -> dict[str, list[Turn]]:
    """One turn per round for every model; the order turns round each time.

    So no model always has the same neighbour before it, and a machine that gets slower or faster
    does so for all of them.

    Args:
        files: graphs that a `Session` accepted, by name.
        pixels: by the same names the images that calls are made of, uint8 [N, …].

    Raises:
        ModelError: a round's process failed.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in files}
    with tempfile.TemporaryDirectory() as folder:
        asked = []
        for number, (name, file) in enumerate(files.items()):
            images = Path(folder) / f"{number}.npy"
            np.save(images, pixels[name])
            asked.append((name, str(file.path), str(images)))
        for number in range(plan.rounds):
            on_step(f"latency and throughput: round {number + 1} of {plan.rounds}")
            order = asked if number % 2 == 0 else asked[::-1]
            words = json.dumps({"models": order, "plan": asdict(plan)})
            found: dict[str, Turn] = json.loads(_child(_round, "a round of timing", words))
            for name, turn in found.items():
                turns[name].append(turn)
    return turns


def _round() -> None:
    """The child: one turn for each file, in the order given, by name, as JSON."""
    asked = json.loads(sys.argv[1])
    values = asked["plan"]
    plan = Plan(**{**values, "batch_sizes": tuple(values["batch_sizes"])})
    turns = {}
    for name, path, images in asked["models"]:
        pixels = np.load(images)
        bounded = plan.bounded(pixels[0].nbytes)
        turns[name] = take_turn(partial(_load, Path(path)), pixels, bounded)
    json.dump(turns, sys.stdout)


def take_turn(
    load: Callable[[int], Infer], pixels: Pixels, plan: Plan, clock: Clock = time.perf_counter
) -> Turn:
    """Load a model and time it: single images with half of the time, then each batch size.

    It starts from the file and ends with its sessions gone, so no thread of one model disturbs
    the next.

    Args:
        load: makes the model ready to run on so many threads; timed as well.
        pixels: uint8 [N, …], the images that calls are made of.
        plan: of which one round is done.
    """
    half_s = plan.seconds_per_model / plan.rounds / 2
    share_s = half_s / len(plan.batch_sizes) / len(plan.thread_counts)

    def durations_s(infer: Infer, batch_size: int, total_s: float, min_calls: int) -> list[float]:
        batches = split_batches(pixels, batch_size)
        warm_up_s, warm_up_calls = _WARM_UP_SHARE * total_s, _WARM_UP_CALLS[batch_size == 1]
        time_calls(infer, batches, min_s=warm_up_s, min_calls=warm_up_calls, clock=clock)
        timed_s = total_s - warm_up_s
        return time_calls(infer, batches, min_s=timed_s, min_calls=min_calls, clock=clock)

    def throughput(infer: Infer) -> dict[str, float]:
        return {
            str(size): images_per_s_of(durations_s(infer, size, share_s, _MIN_BATCH_CALLS), size)
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
    by_threads = {str(threads): found for threads, found in sorted(images_per_s.items())}
    return {"load_s": load_s, "latency": latency, "images_per_s": by_threads}


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


class Estimate(NamedTuple):
    """A median over rounds and the ends of its 95 % interval."""

    median: float
    low: float
    high: float

    def overlaps(self, other: Estimate) -> bool:
        """Whether the two intervals have a value in common."""
        return self.low <= other.high and other.low <= self.high


def estimate(values: Sequence[float]) -> Estimate:
    """Median and interval of one figure.

    The interval goes from the k-th smallest to the k-th largest value, k as large as 95 % allow: of
    n rounds, fewer than k lie on one side of the true median with the probability of fewer than k
    heads in n throws of a coin. It supposes no distribution, but rounds that do not depend on each
    other. Of fewer than nine values it is their range; of fewer than six that holds the median less
    often: of five in 94 %, of three in 75 %.

    Args:
        values: one per round; at least one.
    """
    ordered, rounds = sorted(values), len(values)
    at, outside = 0, 1 / 2**rounds
    while True:
        outside += comb(rounds, at + 1) / 2**rounds
        if 1 - 2 * outside < _LEVEL or 2 * (at + 2) > rounds:
            return Estimate(median(ordered), ordered[at], ordered[-1 - at])
        at += 1


def spread(values: Sequence[float]) -> float:
    """Largest / smallest value, 1 where all are the same."""
    return max(values) / min(values)


def summarise(turns: Sequence[Turn], threads: int) -> dict[str, Any]:
    """Medians, intervals and spreads over the rounds of one model, run on so many threads.

    Returns:
        JSON values: ``load_s``, ``latency`` (medians; ``calls`` is the sum), ``images_per_s`` at
        the best ``batch_size``, ``images_per_s_by_batch_size``, ``latency_spread`` of p50 and
        ``images_per_s_spread`` (largest / smallest), ``intervals`` and the ``rounds`` themselves.
    """

    def over(of: Callable[[Turn], float]) -> dict[str, float]:
        return estimate([of(turn) for turn in turns])._asdict()

    def latency(name: Percentile) -> list[float]:
        return [turn["latency"][name] for turn in turns]

    rates = {
        count: {
            size: estimate([turn["images_per_s"][count][size] for turn in turns])._asdict()
            for size in by_size
        }
        for count, by_size in turns[0]["images_per_s"].items()
    }
    intervals: dict[str, Any] = {
        "load_s": over(lambda turn: turn["load_s"]),
        **{name: estimate(latency(name))._asdict() for name in PERCENTILES},
        "images_per_s": rates,
    }
    by_size = {size: found["median"] for size, found in rates[str(threads)].items()}
    best = max(by_size, key=by_size.__getitem__)
    return {
        "load_s": intervals["load_s"]["median"],
        "latency": {
            "calls": sum(turn["latency"]["calls"] for turn in turns),
            **{name: intervals[name]["median"] for name in PERCENTILES},
        },
        "latency_spread": spread(latency("p50_ms")),
        "images_per_s": by_size[best],
        "batch_size": int(best),
        "images_per_s_by_batch_size": by_size,
        "images_per_s_spread": spread([turn["images_per_s"][str(threads)][best] for turn in turns]),
        "intervals": intervals,
        "rounds": list(turns),
    }


def peak_memory_bytes(path: Path, threads: int, batch_size: int) -> int | None:
    """Peak resident memory of a fresh process that loads the file and runs one image and a batch.

    The whole process counts: the interpreter, numpy and ONNX Runtime (about 60 MB) as well as
    the file's content, which stays in memory beside the session.

    Args:
        path: a graph that a `Session` accepted.
        threads: within one call.
        batch_size: images of the second call.

    Returns:
        Bytes; None where the system does not tell.

    Raises:
        ModelError: the process failed.
    """
    what = f"a process that loads and runs {path}"
    return int(_child(_peak, what, str(path), str(threads), str(batch_size))) or None


def _peak() -> None:
    """The child: load the file, run it, print the peak in bytes, 0 if the system has no word."""
    path, threads, batch_size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    session = _load(path, threads)
    pixels = random_pixels(session.spec.shape, batch_size)
    session(pixels[:1])
    session(pixels)
    sys.stdout.write(str(_own_peak_bytes()))


def _own_peak_bytes() -> int:
    """Peak resident memory of this process so far; 0 where the system does not tell.

    Linux hands getrusage's peak on from the process that started this one, so there it is
    read from /proc.
    """
    if _STATUS.exists():
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0
