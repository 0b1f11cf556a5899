"""What sinks have in common, and files that are whole or not there.

A line format turns rows into text anywhere, also in a worker process, so a run whose only
output is of lines writes them as they come. A sink is fed once all rows are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from fmnist_cli.contract import Row
from fmnist_cli.files import whole_file, writing
from fmnist_cli.sources.items import Item

_TO_ESCAPE = re.compile(r"[\ud800-\udfff]|\\(?=u(?:d[89a-f][0-9a-f]{2}|005c))")
_ESCAPED = re.compile(r"\\u(d[89a-f][0-9a-f]{2}|005c)")


def encodable(text: str) -> str:
    r"""A file name as text that any UTF-8 file can hold; `original` gives it back.

    A name in another encoding comes from the operating system with surrogates in it. They are
    written as ``\udcXX``, and a backslash that would read as such an escape as ``\u005c``, so
    every name comes back exactly; `os.fsencode` then gives its bytes. All others stay.
    """
    if text.isascii() and "\\" not in text:
        return text
    return _TO_ESCAPE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def original(text: str) -> str:
    """What `encodable` was given."""
    if "\\u" not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


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


class FileSink:
    """A sink that makes a file between what its `_open` does before and after it yields."""

    wants_items = False

    def _open(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Begin the file."""
        self._block = self._open()
        self._block.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        """Give the file its name, or remove it after an error."""
        return self._block.__exit__(*error)


class LineSink(FileSink):
    """Writes rows as lines of `format_`; the file is there once all are written."""

    def __init__(self, path: Path, format_: LineFormat) -> None:
        self._path = path
        self._format = format_

    @contextmanager
    def _open(self) -> Iterator[None]:
        with whole_file(self._path) as partial, partial.open("wb") as self._stream:
            self._stream.write(self._format.header().encode())
            yield
            with writing(self._path):
                self._stream.flush()

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Append rows."""
        del items
        with writing(self._path):
            self._stream.write(self._format.lines(rows).encode())
