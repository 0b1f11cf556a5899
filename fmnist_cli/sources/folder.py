"""The pictures in a folder and the folders below it, in order, however many there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, NamedTuple

from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.sources.items import (
    FileItem,
    Item,
    Selection,
    Skipped,
    UnreadableItem,
    everything,
    read_head,
)
from fmnist_cli.sources.kinds import SNIFF, SUFFIXES, is_archive, looks_like_image

# Together a few megabytes, whatever the number of names: the names of one run while it is
# made, then one block of each run while they are merged.
RUN = 20_000
_BLOCK = 8192
_END = b"/"  # no file name holds one, and no other character's UTF-8 does


def in_order(names: Iterable[str], run: int = RUN, folder: str | None = None) -> Iterator[str]:
    """The names in the order of `sorted`; from `run` names on they go through a file.

    Args:
        names: not empty, any characters but "/", lone surrogates included.
        run: how many names are held at once.
        folder: for the file; by default the system's one for temporary files.

    Raises:
        DataError: there is no room for the temporary file.
    """
    stream = iter(names)
    first = sorted(islice(stream, run))
    return iter(first) if len(first) < run else _merged(first, stream, run, folder)


def _merged(first: list[str], stream: Iterator[str], run: int, folder: str | None) -> Iterator[str]:
    from tempfile import TemporaryFile

    ends = [0]
    try:
        with TemporaryFile(prefix="fmnist-names-", dir=folder) as file:
            names = first
            while names:
                file.write(_END.join(name.encode("utf-8", "surrogatepass") for name in names))
                file.write(_END)
                ends.append(file.tell())
                names.clear()
                names += islice(stream, run)
                names.sort()
            file.flush()
            yield from merge(*(_run(file, *span) for span in pairwise(ends)))
    except OSError as error:
        raise DataError(
            f"cannot sort a large folder in a temporary file ({error.strerror or error}). "
            "Make room, or name another folder for temporary files in TMPDIR"
        ) from error


def _run(file: IO[bytes], position: int, end: int) -> Iterator[str]:
    """The names of one run; only a block of them is in memory."""
    rest = b""
    while position < end:
        file.seek(position)
        block = file.read(min(_BLOCK, end - position))
        position += len(block)
        *whole, rest = (rest + block).split(_END)
        for name in whole:
            yield name.decode("utf-8", "surrogatepass")


# An entry that is no plain file carries its kind behind a NUL, which no name holds and which
# sorts before all other characters, so that the order is still that of the names.
_FOLDER, _BROKEN, _OTHER = "\0d", "\0b", "\0o"

# Path and location of an archive → its items; None to leave it closed.
Opener = Callable[[str, str], Iterable[Item] | None]


class _Folder(NamedTuple):
    identity: tuple[int, int]  # device and inode
    prefix: str  # of the paths within
    location: str  # ends in a separator
    names: Iterator[str]
    trouble: list[str]  # why the listing is not complete


class FolderSource:
    """Pictures below a folder, depth first, each folder's entries sorted by name.

    A file counts as a picture when its suffix or its content says so; a file with a
    picture's suffix always gets a row, whatever is in it. Hidden files and folders are
    left alone. Links are followed, but never into a folder that is being walked already.
    Archives are counted and left closed, unless there is an `open_archive` for them.
    """

    def __init__(
        self,
        root: Path,
        prefix: str = "",
        selection: Selection | None = None,
        open_archive: Opener | None = None,
    ) -> None:
        self._root = root
        self._prefix = prefix
        self._selection = selection or Selection()
        self._open_archive = open_archive
        self.skipped = Skipped()

    def __iter__(self) -> Iterator[Item]:
        self.skipped = Skipped()
        cut = len(self._prefix)
        wants, enters = self._selection.wants, self._selection.enters
        wants_all = wants is everything
        walked: list[_Folder] = []  # from the root down; deeper than the interpreter can recurse
        yield from self._enter(str(self._root), self._prefix, walked)
        while walked:
            folder = walked[-1]
            # This loop runs once per file, so it is written for speed.
            prefix, location = folder.prefix, folder.location
            for name in folder.names:
                if "\0" in name:
                    path, kind = f"{prefix}{name[:-2]}", name[-2:]
                    if kind == _FOLDER:
                        if self._selection.recursive and enters(path[cut:]):
                            yield from self._enter(f"{location}{name[:-2]}", f"{path}/", walked)
                            break
                    elif wants_all or wants(path[cut:]):
                        if kind == _BROKEN and _has_suffix(path):
                            yield FileItem(path, f"{location}{name[:-2]}")
                        else:
                            self.skipped.add(path)  # a pipe or socket would block
                    continue
                path = prefix + name
                if not wants_all and not wants(path[cut:]):
                    continue
                if name[name.rfind(".") :] in SUFFIXES or _has_suffix(name):
                    yield FileItem(path, location + name)
                else:
                    yield from self._unnamed(path, location + name)
            else:
                walked.pop()
                for reason in folder.trouble:
                    where = prefix.rstrip("/") or str(self._root)
                    yield UnreadableItem(where, f"cannot list the folder: {reason}")

    @staticmethod
    def _enter(location: str, prefix: str, walked: list[_Folder]) -> Iterator[Item]:
        """Go down into a folder; one item with the reason when that is impossible."""
        try:
            status = os.stat(location)  # noqa: PTH116
        except OSError as error:
            reason = f"cannot list the folder: {error.strerror or error}"
            yield UnreadableItem(prefix.rstrip("/") or location, reason)
            return
        identity = (status.st_dev, status.st_ino)
        if any(folder.identity == identity for folder in walked):
            return
        trouble: list[str] = []
        names = in_order(_entries(location, trouble))
        location = location if location.endswith(os.sep) else location + os.sep
        walked.append(_Folder(identity, prefix, location, names, trouble))

    def _unnamed(self, path: str, location: str) -> Iterator[Item]:
        """A file without a picture's suffix."""
        try:
            head = read_head(location, SNIFF)
        except ImageError:
            yield FileItem(path, location)  # it might be one: its row will hold the reason
            return
        if looks_like_image(head):
            yield FileItem(path, location)
        elif not is_archive(path, head):
            self.skipped.add(path)
        elif (items := self._open_archive and self._open_archive(path, location)) is not None:
            yield from items
        else:
            self.skipped.add(path, archive=True)


def _has_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122


def _entries(location: str, trouble: list[str]) -> Iterator[str]:
    """Visible names in a folder, marked by kind; an error ends them and goes to `trouble`."""
    try:
        with os.scandir(location) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == ".":
                    continue
                try:
                    plain = entry.is_file()
                except OSError:  # a link in a circle, or into a folder that is closed to us
                    plain = False
                yield name if plain else name + _mark(entry)
    except OSError as error:
        trouble.append(error.strerror or str(error))


def _mark(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return _FOLDER
    except OSError:
        return _BROKEN
    # A link to nothing is broken, one to a pipe is not.
    dangling = entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110
    return _BROKEN if dangling else _OTHER
