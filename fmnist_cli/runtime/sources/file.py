"""A single file, whatever its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from fmnist_cli.runtime.sources.base import Item, read_file


class FileSource:
    """One file named on the command line; it always gets a row."""

    skipped = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Item]:
        yield Item(self._path.as_posix(), partial(read_file, str(self._path)))
