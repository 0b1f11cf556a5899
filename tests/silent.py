"""A reporter of training for tests."""

from __future__ import annotations

from fmnist_cli.training.record import Epoch


class SilentReporter:
    """Says nothing; for tests."""

    def start(self, model: str, steps: int | None, done: int = 0) -> None:
        """Nothing."""

    def step(self, text: str) -> None:
        """Nothing."""

    def stage(self, text: str) -> None:
        """Nothing."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Nothing."""

    def finish(self, text: str) -> None:
        """Nothing."""
