"""What is measured, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from fmnist_cli.runtime.store import ModelFile


@dataclass(frozen=True, slots=True)
class Plan:
    """How time is measured.

    Attributes:
        threads: ONNX Runtime's threads within one call.
        seconds_per_model: time for the calls of one model over all rounds, warm-up included;
            slow models take longer, as each turn makes a minimum number of calls.
        rounds: turns per model, each round in a process of its own.
        batch_sizes: images per call of the throughput measurement.
    """

    threads: int
    seconds_per_model: float
    rounds: int = 10
    batch_sizes: tuple[int, ...] = (1, 16, 64, 256)

    @property
    def memory_runs(self) -> int:
        """Processes per model whose peak memory is looked at; it varies little."""
        return min(self.rounds, 6)

    @property
    def thread_counts(self) -> tuple[int, ...]:
        """Threads that throughput is measured with: one, and `threads`."""
        return tuple(sorted({1, self.threads}))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to measure.

    Attributes:
        name: unique name in the results.
        file: the checked file.
    """

    name: str
    file: ModelFile
