"""Counting rows while they pass, and telling a person about it on standard error."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from fmnist_cli.contract import UNKNOWN, ModelCard, Prediction, Rejected, Row
from fmnist_cli.engines import UNEXPECTED

EXAMPLES = 5  # rejected inputs named in the summary; all of them are in the rows
_PATIENCE = 0.7  # seconds until a bar is worth its import


class Counts(NamedTuple):
    """What was counted over some rows."""

    total: int
    labels: dict[str, int]
    prepared: dict[str, int]
    rejected: int
    examples: list[Rejected]
    unexpected: int = 0
    known: int = 0

    @classmethod
    def of(cls, rows: Sequence[Row], known: int = 0) -> Counts:
        """Those of some rows, of which so many are of an earlier run."""
        rejected = [row for row in rows if type(row) is Rejected]
        labels = Counter([row.label for row in rows if type(row) is Prediction])
        prepared = Counter([row.prepared for row in rows if type(row) is Prediction])
        unexpected = sum(row.error.startswith(UNEXPECTED) for row in rejected)
        some = rejected[:EXAMPLES]
        return cls(len(rows), dict(labels), dict(prepared), len(rejected), some, unexpected, known)


class Tally:
    """Counts per label, rejected inputs and elapsed time.

    Attributes:
        total: rows so far, those of an interrupted run included.
        known: of these those that were there already.
        prepared: of these those that are not rejected, by their preparation.
        rejected: of these the rejected.
        unexpected: of these, in this run, those whose reason is an error of ours.
        examples: the first few rejected.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self._class_names = class_names
        self._labels: Counter[str] = Counter()
        self.prepared: Counter[str] = Counter()
        self._started = time.monotonic()
        self.total = self.known = 0
        self.rejected = 0
        self.unexpected = 0
        self.examples: list[Rejected] = []

    def add(self, counts: Counts) -> None:
        """Count some rows."""
        self.total += counts.total
        self.known += counts.known
        self._labels.update(counts.labels)
        self.prepared.update(counts.prepared)
        self.rejected += counts.rejected
        self.unexpected += counts.unexpected
        if len(self.examples) < EXAMPLES:
            self.examples += counts.examples[: EXAMPLES - len(self.examples)]

    @property
    def labelled(self) -> int:
        """Rows with a label that is one of the classes."""
        return self.total - self.rejected - self._labels[UNKNOWN]

    def counts(self) -> dict[str, Any]:
        """What was counted, for JSON; the inverse of `restore`."""
        return {
            "total": self.total,
            "labelled": self.labelled,
            "rejected": self.rejected,
            "labels": {name: self._labels[name] for name in self._names()},
            "prepared": dict(sorted(self.prepared.items())),
            "examples": [[row.path, row.error] for row in self.examples],
        }

    def restore(self, counts: dict[str, Any]) -> None:
        """Go on from what an interrupted run has counted."""
        if counts:
            self.total = self.known = counts["total"]
            self.rejected = counts["rejected"]
            self._labels = Counter(counts["labels"])
            self.prepared = Counter(counts.get("prepared", {}))
            self.examples = [Rejected(path, reason) for path, reason in counts["examples"]]

    def timing(self) -> dict[str, float]:
        """Seconds since the start, and the rate over them."""
        seconds = time.monotonic() - self._started
        rate = (self.total - self.known) / max(seconds, 1e-9)
        return {"seconds": round(seconds, 3), "images_per_s": round(rate, 1)}

    def _names(self) -> list[str]:
        return [*self._class_names, *([UNKNOWN] if self._labels[UNKNOWN] else [])]

    def summary(self, card: ModelCard, skipped: str, done: str) -> str:
        """What was done, per class, and the first few inputs that were rejected: lines for people.

        Args:
            card: of the model that was used.
            skipped: words about files that were passed over.
            done: words about where the rows are.
        """
        # Not rich: its import takes as long as labelling hundreds of pictures.
        import typer

        from fmnist_cli.contract import printable

        colored = sys.stderr.isatty()

        def style(text: str, **how: Any) -> str:
            return typer.style(text, **how) if colored else text

        parts = [f"{self.labelled:,} labelled"]
        if unknown := self._labels[UNKNOWN]:
            parts.append(f"{unknown:,} unknown")
        if self.rejected:
            parts.append(style(f"{self.rejected:,} rejected", fg="red"))
        if skipped:
            parts.append(printable(skipped))
        timing = self.timing()
        all_frames = self.prepared["frame"] == self.total - self.rejected
        caption = printable(card.caption if all_frames else card.name)
        lines = [
            f"{style(', '.join(parts), bold=True)} in {timing['seconds']:.2f} s"
            f" ({timing['images_per_s']:,.0f} images/s)"
            f" · {caption}"
        ]
        width = max(len(printable(name)) for name in self._class_names)
        most = max(self._labels.values(), default=1)
        room = shutil.get_terminal_size().columns - width - 15 if colored else 24
        for name in filter(self._labels.get, self._names()):
            count = self._labels[name]
            bar = style("█" * round(min(24, room) * count / most), fg="cyan")
            lines.append(f"  {printable(name):<{width}}  {count:>8,}  {bar}".rstrip())
        for path, reason in self.examples:
            word = style("rejected", fg="red")
            lines.append(f"  {word} {printable(path)}: {printable(reason)}")
        if self.rejected > len(self.examples):
            lines.append(f"  … and {self.rejected - len(self.examples):,} more; see the rows")
        if done:
            lines.append(printable(done))
        return "\n".join(lines) + "\n"


@contextmanager
def progress(shown: bool, count: Callable[[], int] | None) -> Iterator[Callable[[int], object]]:
    """A live bar on a terminal once a run takes long; yields the function that advances it.

    `count` finds the total beside the work, so that the first row does not wait for it; None
    where looking for it would take the inputs away.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _count: None
        return
    started = time.monotonic()
    done = 0
    bar: Any = None

    def advance(more: int) -> None:
        nonlocal done, bar
        done += more
        if bar is None and time.monotonic() - started > _PATIENCE:
            bar = _bar(count)
        if bar is not None:
            bar.update(bar.task_ids[0], completed=done)

    try:
        yield advance
    finally:
        if bar is not None:
            bar.stop()


def _bar(count: Callable[[], int] | None) -> Any:
    """A bar on standard error, drawn until it is stopped; `count` runs in a thread of its own."""
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

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} images/s" if speed else "")

    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task("", total=None)
    bar.start()
    if count is not None:
        threading.Thread(target=lambda: bar.update(task, total=count()), daemon=True).start()
    return bar
