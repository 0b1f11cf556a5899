"""A single file, whatever its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fmnist_cli.sources.base import FileItem, Item


class FileSource:
    """One file named on the command line; it always gets a row."""

    skipped = 0
    skipped_archives = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Item]:
        yield FileItem(self._path.as_posix(), str(self._path))
