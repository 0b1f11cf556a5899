"""Where pictures come from: folders, files, patterns, lists, and files that hold many.

Adding a kind of file that holds many is one file and one line in `containers.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fmnist_cli.errors import UsageError
from fmnist_cli.sources.base import Item, Selection, Source

__all__ = ["Item", "Selection", "Source", "open_source", "open_sources"]

STDIN = "-"


def open_source(path: Path, prefix: str = "", selection: Selection | None = None) -> Source:
    """The source for one folder or file; what kind of file it is, its content tells.

    Args:
        path: what to open.
        prefix: put before the paths of what is found in it.
        selection: what to take from it. A picture named itself is always taken.

    Raises:
        UsageError: there is no such file or folder, or it holds no pictures.
        DataError: it holds many pictures and is damaged.
    """
    selection = selection or Selection()
    if path.is_dir():
        from fmnist_cli.sources.folder import FolderSource

        return FolderSource(path, prefix, selection)
    from fmnist_cli.sources.file import FileSource

    if path.is_file():  # looking into a pipe would take something out of it
        from fmnist_cli.sources.containers import open_container

        return open_container(path, prefix, selection) or FileSource(path)
    if path.exists() or path.is_symlink():
        return FileSource(path)
    raise UsageError(f"there is no file or folder called {str(path)!r}")


def open_sources(
    inputs: Sequence[str | Path],
    selection: Selection | None = None,
    *,
    listing: str | None = None,
    null: bool = False,
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
) -> Source:
    """All inputs as one source, in the order given.

    What is in a single folder or archive is named relative to it. With several inputs each
    name starts with the input as typed, so that no two are alike; an input named twice counts
    once. An input that does not exist and holds `*`, `?`, `[` or `{` is a pattern.

    Args:
        inputs: folders, files, patterns; "-" for paths on standard input.
        selection: what to take from them.
        listing: a file of paths, which come after the inputs; "-" as above.
        null: whether listed paths are separated by NUL instead of newlines.
        limit: at most this many items.
        shard: number of this share, from 1, and the number of shares.

    Raises:
        UsageError: an input does not exist or does not fit; nothing is read then.
        DataError: an input that holds many pictures is damaged.
    """
    selection = selection or Selection()
    names = list(dict.fromkeys(name for text in inputs for name in _expanded(str(text))))
    lists = [listing] if listing is not None and listing not in names else []
    if not names and not lists:
        raise UsageError("name at least one input: a folder, a file, or - for paths on stdin")
    if null and not lists and STDIN not in names:
        raise UsageError("-0 says how listed paths are separated; it needs --from-file or -")

    single = len(names) + len(lists) == 1
    sources = [_open(name, selection, null=null, single=single) for name in names]
    sources += [_list(name, selection, null=null) for name in lists]
    source = sources[0] if single else _Chain(sources)
    if limit is None and shard is None:
        return source
    from fmnist_cli.sources.limits import Limited

    return Limited(source, limit, shard)


def _expanded(text: str) -> list[str]:
    """The inputs that one argument stands for, each as it will be named."""
    if not text:
        raise UsageError("an input is empty; name a folder or a file")
    if text == STDIN:
        return [text]
    if os.path.lexists(text):
        name = Path(text).as_posix()
        return [name if name != STDIN else f"./{name}"]
    if "{" not in text:
        return [text]
    from fmnist_cli.sources.glob import expand_braces

    expanded = expand_braces(text)
    return expanded if expanded == [text] else [n for part in expanded for n in _expanded(part)]


def _open(name: str, selection: Selection, *, null: bool, single: bool) -> Source:
    if name == STDIN:
        return _list(name, selection, null=null)
    if not os.path.lexists(name) and any(character in name for character in "*?["):
        from fmnist_cli.sources.glob import GlobSource

        return GlobSource(name, selection, open_source)
    return open_source(Path(name), "" if single else f"{name.rstrip('/')}/", selection)


def _list(name: str, selection: Selection, *, null: bool) -> Source:
    from fmnist_cli.sources.listing import ListSource

    return ListSource(name, null=null, selection=selection)


class _Chain:
    """Several sources, one after the other."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    @property
    def skipped(self) -> int:
        return sum(source.skipped for source in self._sources)

    @property
    def skipped_archives(self) -> int:
        return sum(source.skipped_archives for source in self._sources)

    def __iter__(self) -> Iterator[Item]:
        for source in self._sources:
            yield from source
