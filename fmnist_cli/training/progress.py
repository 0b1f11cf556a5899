"""What a fit tells while it runs, and the three ways to show it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from fmnist_cli.contract import printable
from fmnist_cli.training.record import Epoch


class Reporter(Protocol):
    """Receives the progress of one model's fit."""

    def start(self, model: str, steps: int | None, done: int = 0) -> None:
        """A fit begins; `steps` in all, unknown if None; `done` by an earlier run.

        Called again for the same model when it becomes known how many steps there are.
        """

    def step(self, text: str) -> None:
        """One step is done; `text` says how many of how many."""

    def stage(self, text: str) -> None:
        """A part begins; `text` names it."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """One epoch of `epochs` is done."""

    def finish(self, text: str) -> None:
        """The fit is over; `text` sums it up."""


def _epoch_text(epoch: Epoch, epochs: int) -> str:
    text = (
        f"epoch {epoch.epoch}/{epochs}  train {epoch.train_loss:.3f} / {epoch.train_accuracy:.2%}"
    )
    if epoch.validation_loss is None or epoch.validation_accuracy is None:
        return text
    return f"{text}  validation {epoch.validation_loss:.3f} / {epoch.validation_accuracy:.2%}"


_SILENCE = 30.0  # seconds after which a log gets a line within an epoch


class PlainReporter:
    """A line per epoch or stage on standard error, and one now and then, for logs and pipes."""

    def __init__(self, models: int, *, quiet: bool = False) -> None:
        self._models, self._count, self._quiet = models, 0, quiet
        self._running = False
        self._model = ""
        self._started = self._said = 0.0

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        if self._quiet:
            return
        text = printable(f"[{self._count}/{self._models}] {self._model}: {text}")
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def start(self, model: str, steps: int | None, done: int = 0) -> None:
        """Announce the model."""
        if not self._running:
            self._count += 1
            self._running = True
            self._model, self._started = model, time.monotonic()
            self._say("started" if not done else "resumed")

    def step(self, text: str) -> None:
        """How far it is, if nothing was said for long: steps are too many for a log."""
        if time.monotonic() - self._said > _SILENCE:
            self.stage(text)

    def stage(self, text: str) -> None:
        """The stage, and how long it took to get there."""
        self._say(f"{text} (after {time.monotonic() - self._started:.1f} s)")

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """The metrics, and how long the remaining epochs will take at this pace."""
        left = (epochs - epoch.epoch) * epoch.seconds
        self._say(f"{_epoch_text(epoch, epochs)}  ({epoch.seconds:.1f} s, {left:.0f} s left)")

    def finish(self, text: str) -> None:
        """The outcome and the time it took."""
        self._running = False
        self._say(f"{text} in {time.monotonic() - self._started:.1f} s")


class RichReporter:
    """A live bar per model with elapsed time, time left and current metrics."""

    def __init__(self, console: Console, models: int) -> None:
        self._console = console
        self._models, self._count = models, 0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=console,
        )
        self._task = self._progress.add_task("", text="", visible=False)
        self._running = False
        self._model = ""
        self._stage = self._epoch = ""

    def __enter__(self) -> RichReporter:
        self._progress.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.__exit__(kind, error, trace)

    def start(self, model: str, steps: int | None, done: int = 0) -> None:
        """Open the model's bar; without a step count it pulses."""
        if not self._running:
            self._count += 1
            self._running = True
            self._begun = time.monotonic()
        self._model, self._stage, self._epoch = model, "", ""
        self._progress.reset(
            self._task,
            total=steps,
            completed=done,
            description=f"\\[{self._count}/{self._models}] {model:<13}",
            text="",
            visible=True,
        )

    def step(self, text: str) -> None:
        """Advance the bar by one training step."""
        self._progress.update(self._task, advance=1, text=f"{self._stage}{text}  {self._epoch}")

    def stage(self, text: str) -> None:
        """Name the stage, before the steps that it has."""
        self._stage = f"{text}: "
        self._progress.update(self._task, text=text)

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Keep the epoch's metrics on the line."""
        self._epoch = f"[dim]{_epoch_text(epoch, epochs)}[/dim]"

    def finish(self, text: str) -> None:
        """Leave one line behind and hide the bar."""
        self._running = False
        elapsed = time.monotonic() - self._begun
        self._progress.update(self._task, visible=False, refresh=True)
        self._console.print(f"{self._model:<13} {text} in {elapsed:.1f} s", highlight=False)


@contextmanager
def console_reporter(models: int, *, quiet: bool = False) -> Iterator[Reporter]:
    """Live bars on a terminal, plain lines elsewhere; for so many models in a row."""
    console = Console(stderr=True)
    if console.is_terminal and not quiet:
        with RichReporter(console, models) as reporter:
            yield reporter
    else:
        yield PlainReporter(models, quiet=quiet)
