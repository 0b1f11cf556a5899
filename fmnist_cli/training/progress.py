"""What a fit tells while it runs, and the three ways to show it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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


class Reporter:
    """Receives the progress of fits. This one shows nothing.

    Args:
        models: how many fits there will be.
    """

    def __init__(self, models: int = 1) -> None:
        self._models, self._count = models, 0
        self._model, self._begun = "", 0.0
        self._running = False

    def start(self, model: str, steps: int | None, done: int = 0) -> bool:
        """A fit begins; `steps` in all, unknown if None; `done` by an earlier run.

        Called again for the same model when it becomes known how many steps there are.

        Returns:
            Whether this is the first call for the model.
        """
        first = not self._running
        if first:
            self._count += 1
            self._running, self._model, self._begun = True, model, time.monotonic()
        return first

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun

    def step(self, text: str) -> None:
        """One step is done; `text` says how many of how many."""

    def stage(self, text: str) -> None:
        """A part begins; `text` names it."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """One epoch of `epochs` is done."""

    def finish(self, text: str) -> None:
        """The fit is over; `text` sums it up."""
        self._running = False


def _epoch_text(epoch: Epoch, epochs: int) -> str:
    text = (
        f"epoch {epoch.epoch}/{epochs}  train {epoch.train_loss:.3f} / {epoch.train_accuracy:.2%}"
    )
    if epoch.validation_loss is None or epoch.validation_accuracy is None:
        return text
    return f"{text}  validation {epoch.validation_loss:.3f} / {epoch.validation_accuracy:.2%}"


_SILENCE = 30.0  # seconds after which a log gets a line within an epoch


class PlainReporter(Reporter):
    """A line per epoch or stage on standard error, and one now and then, for logs and pipes."""

    _said = 0.0

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        text = printable(f"[{self._count}/{self._models}] {self._model}: {text}")
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def start(self, model: str, steps: int | None, done: int = 0) -> bool:
        """Announce the model."""
        first = super().start(model, steps, done)
        if first:
            self._say("started" if not done else "resumed")
        return first

    def step(self, text: str) -> None:
        """How far it is, if nothing was said for long: steps are too many for a log."""
        if time.monotonic() - self._said > _SILENCE:
            self.stage(text)

    def stage(self, text: str) -> None:
        """The stage, and how long it took to get there."""
        self._say(f"{text} (after {self._elapsed():.1f} s)")

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """The metrics, and how long the remaining epochs will take at this pace."""
        left = (epochs - epoch.epoch) * epoch.seconds
        self._say(f"{_epoch_text(epoch, epochs)}  ({epoch.seconds:.1f} s, {left:.0f} s left)")

    def finish(self, text: str) -> None:
        """The outcome and the time it took."""
        super().finish(text)
        self._say(f"{text} in {self._elapsed():.1f} s")


class RichReporter(Reporter):
    """A live bar per model with elapsed time, time left and current metrics.

    Attributes:
        bars: to be entered while the bar is to be seen.
    """

    def __init__(self, console: Console, models: int) -> None:
        super().__init__(models)
        self.bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=console,
        )
        self._task = self.bars.add_task("", text="", visible=False)
        self._stage = self._epoch = ""

    def start(self, model: str, steps: int | None, done: int = 0) -> bool:
        """Open the model's bar; without a step count it pulses."""
        first = super().start(model, steps, done)
        self._stage = self._epoch = ""
        self.bars.reset(
            self._task,
            total=steps,
            completed=done,
            description=f"\\[{self._count}/{self._models}] {model:<13}",
            text="",
            visible=True,
        )
        return first

    def step(self, text: str) -> None:
        """Advance the bar by one training step."""
        self.bars.update(self._task, advance=1, text=f"{self._stage}{text}  {self._epoch}")

    def stage(self, text: str) -> None:
        """Name the stage, before the steps that it has."""
        self._stage = f"{text}: "
        self.bars.update(self._task, text=text)

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Keep the epoch's metrics on the line."""
        self._epoch = f"[dim]{_epoch_text(epoch, epochs)}[/dim]"

    def finish(self, text: str) -> None:
        """Leave one line behind and hide the bar."""
        super().finish(text)
        self.bars.update(self._task, visible=False, refresh=True)
        self.bars.console.print(
            f"{self._model:<13} {text} in {self._elapsed():.1f} s", highlight=False
        )


@contextmanager
def console_reporter(models: int, *, quiet: bool = False) -> Iterator[Reporter]:
    """Live bars on a terminal, plain lines elsewhere; for so many models in a row."""
    console = Console(stderr=True)
    if quiet:
        yield Reporter(models)
    elif console.is_terminal:
        reporter = RichReporter(console, models)
        with reporter.bars:
            yield reporter
    else:
        yield PlainReporter(models)
