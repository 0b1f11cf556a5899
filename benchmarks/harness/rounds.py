"""Interleaved runs of child processes, and the ratios of what they took."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

HERE = Path(__file__).resolve().parent.parent
Command = Sequence[str | Path]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """A child process that came to its end.

    Attributes:
        wall_s: seconds from its start to its end.
        output: what it printed.
    """

    wall_s: float
    output: str = ""

    @property
    def report(self) -> dict[str, Any]:
        """What it printed, read as JSON."""
        report: dict[str, Any] = json.loads(self.output)
        return report


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, and between what they lie."""

    median: float
    min: float
    max: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(median(values), min(values), max(values), tuple(values))

    def to_json(self) -> dict[str, Any]:
        """As it stands in the results, rounded to what a measurement can tell."""
        return {
            key: [float(f"{v:.5g}") for v in value]
            if isinstance(value, tuple)
            else float(f"{value:.5g}")
            for key, value in asdict(self).items()
        }


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """The ratios within each round, not those of medians: what slows a round slows both."""
    return Spread.of([a / b for a, b in zip(numerators, denominators, strict=True)])


def run(command: Command) -> Run:
    """Run a command to its end.

    Raises:
        SystemExit: it failed; with the end of what it said.
    """
    words = [str(word) for word in command]
    started = time.perf_counter()
    # From the folder of the peers, so that `-m peers.x` is found.
    done = subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=False)
    wall_s = time.perf_counter() - started
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-15:])
        raise SystemExit(f"exit code {done.returncode} of: {' '.join(words)}\n{said}")
    return Run(wall_s, done.stdout)


def in_turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Every name once a round, the order turned round each time, so that nobody is always first."""
    for index in range(rounds):
        yield from names if index % 2 == 0 else reversed(names)


def interleave(
    contenders: Mapping[str, Callable[[], T]],
    rounds: int,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> dict[str, list[T]]:
    """What each contender returned in each of the rounds."""
    results: dict[str, list[T]] = {name: [] for name in contenders}
    for number, name in enumerate(in_turns(list(contenders), rounds)):
        results[name].append(contenders[name]())
        if (number + 1) % len(contenders) == 0:
            report(f"  round {(number + 1) // len(contenders)} of {rounds}")
    return results
