"""The live progress bar of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Images per second."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} images/s" if speed else "")


class Bar:
    """A bar on standard error, drawn until `stop`.

    Args:
        count: finds the total; called in a thread of its own. None when nobody knows.
    """

    def __init__(self, count: Callable[[], int] | None) -> None:
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("", total=None)
        self._progress.start()
        if count is not None:
            threading.Thread(target=self._find_total, args=(count,), daemon=True).start()

    def _find_total(self, count: Callable[[], int]) -> None:
        self._progress.update(self._task, total=count())

    def update(self, done: int) -> None:
        """Show that this many are done."""
        self._progress.update(self._task, completed=done)

    def stop(self) -> None:
        """Leave the bar as it is."""
        self._progress.stop()
