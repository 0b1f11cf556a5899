"""What is measured, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fmnist_cli.inference.models import ModelFile

_BATCH_BYTES = 4 * 2**20  # pixels of a batch; larger ones of large images take seconds


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
    rounds: int = 10
    batch_sizes: tuple[int, ...] = (1, 16, 64, 256)

    @property
    def memory_runs(self) -> int:
        """Processes per model whose peak memory is looked at; it varies little."""
        return min(self.rounds, 6)

    def bounded(self, image_bytes: int) -> Plan:
        """The plan for images of this size: without batches that are too large for them."""
        sizes = [size for size in self.batch_sizes if size * image_bytes <= _BATCH_BYTES]
        return replace(self, batch_sizes=tuple(sizes) or self.batch_sizes[:1])

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
