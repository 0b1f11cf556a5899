"""Counting rows while they pass, and telling a person about it on standard error."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fmnist_cli.contract import ModelCard
from fmnist_cli.runtime.rows import Prediction, Row
from fmnist_cli.runtime.sinks.text import printable
from fmnist_cli.runtime.sources import open_sources

_EXAMPLES = 5  # rejected inputs named in the summary; all of them are in the rows


class Tally:
    """Counts per class, rejected inputs and elapsed time."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self._class_names = class_names
        self._labels: Counter[str] = Counter()
        self._examples: list[tuple[str, str]] = []
        self._started = time.monotonic()
        self.total = 0
        self.rejected = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Count some rows."""
        self.total += len(rows)
        for row in rows:
            if isinstance(row, Prediction):
                self._labels[row.label] += 1
                continue
            self.rejected += 1
            if len(self._examples) < _EXAMPLES:
                self._examples.append((row.path, row.error))

    @contextmanager
    def progress(self, inputs: Sequence[Path], *, shown: bool) -> Iterator[Callable[[int], object]]:
        """A live bar on a terminal; yields the function that advances it.

        The total is counted beside the work, so that the first row does not wait for it.
        """
        from rich.console import Console

        console = Console(stderr=True)
        if not (shown and console.is_terminal):
            yield lambda _count: None
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            Task,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Task) -> Text:
                speed = task.finished_speed or task.speed
                return Text(f"{speed:,.0f} images/s" if speed else "")

        with Progress(
            BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(), console=console
        ) as bar:
            task = bar.add_task("", total=None)

            def count() -> None:
                bar.update(task, total=sum(1 for _ in open_sources(inputs)))

            threading.Thread(target=count, daemon=True).start()
            yield lambda advance: bar.advance(task, advance)

    def print_summary(self, card: ModelCard, skipped: int, target: Path | None) -> None:
        """What was done, per class, and the first few inputs that were rejected."""
        from rich.console import Console
        from rich.markup import escape

        def shown(text: str) -> str:
            return escape(printable(text))

        seconds = time.monotonic() - self._started
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        labelled = self.total - self.rejected
        parts = [f"{labelled:,} labelled"]
        if self.rejected:
            parts.append(f"[red]{self.rejected:,} rejected[/red]")
        if skipped:
            parts.append(f"{skipped:,} other file{'s' * (skipped > 1)} skipped")
        console.print(
            f"[bold]{', '.join(parts)}[/bold] in {seconds:.2f} s"
            f" ({self.total / max(seconds, 1e-9):,.0f} images/s)"
            f" · {card.title}, test accuracy {card.test_accuracy:.2%}"
        )
        width = max(map(len, self._class_names))
        most = max(self._labels.values(), default=1)
        for name in self._class_names:
            count = self._labels[name]
            bar = "█" * round(24 * count / most)
            console.print(f"  {escape(name):<{width}}  {count:>8,}  [cyan]{bar}[/cyan]")
        for path, reason in self._examples:
            console.print(f"  [red]rejected[/red] {shown(path)}: {shown(reason)}")
        if self.rejected > len(self._examples):
            console.print(f"  … and {self.rejected - len(self._examples):,} more; see the rows")
        if target is not None:
            console.print(f"rows in {escape(str(target))}")
