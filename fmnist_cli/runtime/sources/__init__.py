"""Where pictures come from. Adding a kind of input is one file and one line in `open_source`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from fmnist_cli.errors import UsageError
from fmnist_cli.runtime.sources.base import Item, Source
from fmnist_cli.runtime.sources.file import FileSource
from fmnist_cli.runtime.sources.folder import FolderSource

__all__ = ["Item", "Source", "open_source", "open_sources"]


def open_source(path: Path, prefix: str = "") -> Source:
    """The source for one input of the command line.

    Raises:
        UsageError: there is no such file or folder.
    """
    if path.is_dir():
        return FolderSource(path, prefix)
    if path.exists() or path.is_symlink():
        return FileSource(path)
    raise UsageError(f"there is no file or folder called {str(path)!r}")


class _Chain:
    """Several sources, one after the other."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    @property
    def skipped(self) -> int:
        return sum(source.skipped for source in self._sources)

    def __iter__(self) -> Iterator[Item]:
        for source in self._sources:
            yield from source


def open_sources(paths: Sequence[Path]) -> Source:
    """All inputs as one source, in the order given.

    A single folder's pictures are named relative to it. With several inputs each name
    starts with the folder as typed, so that no two are alike; an input named twice counts once.

    Raises:
        UsageError: an input does not exist; nothing is read then.
    """
    different = list(dict.fromkeys(paths))
    if len(different) == 1:
        return open_source(different[0])
    return _Chain([open_source(p, prefix=f"{p.as_posix().rstrip('/')}/") for p in different])
