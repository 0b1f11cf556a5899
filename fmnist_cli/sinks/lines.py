"""A file of lines as a sink: JSON Lines or CSV beside other outputs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from fmnist_cli.rows import Row
from fmnist_cli.sinks.base import LineFormat
from fmnist_cli.sinks.whole import whole_file
from fmnist_cli.sources.base import Item


class LineSink:
    """Writes rows as lines of `format_`; the file is there once all are written."""

    wants_items = False

    def __init__(self, path: Path, format_: LineFormat) -> None:
        self._path = path
        self._format = format_
        self._stack = ExitStack()

    def __enter__(self) -> LineSink:
        """Create the file and write the header."""
        partial = self._stack.enter_context(whole_file(self._path))
        self._stream = self._stack.enter_context(partial.open("wb"))
        self._stream.write(self._format.header().encode())
        return self

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Append rows."""
        del items
        self._stream.write(self._format.lines(rows).encode())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the file its name, or remove it after an error."""
        self._stack.__exit__(kind, error, trace)
