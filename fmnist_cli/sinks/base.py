"""The two interfaces of outputs: formats of lines, and sinks that take finished rows.

A line format turns rows into text anywhere, also in a worker process, so a run whose only
output is of lines writes them as they come. A sink is fed once all rows are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from fmnist_cli.rows import Row
from fmnist_cli.sources.base import Item


class LineFormat(Protocol):
    """Rows as text; picklable and without state, so that any worker can do it."""

    def header(self) -> str:
        """What stands before all rows; may be empty."""

    def lines(self, rows: Sequence[Row]) -> str:
        """The text of some rows, each ending in a newline, always encodable as UTF-8."""

    def read(self, path: Path) -> Iterator[Row]:
        """The rows of a file of this format, streamed.

        Raises:
            DataError: the file is not of this format.
        """


class Sink(AbstractContextManager["Sink"], Protocol):
    """Takes all rows in input order; what it makes is there, whole, once the block is left."""

    @property
    def wants_items(self) -> bool:
        """Whether `write` needs the items beside the rows."""

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Take some rows; `items` are theirs, one each, or none when `wants_items` is false."""
