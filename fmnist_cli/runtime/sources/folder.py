"""The pictures in a folder and the folders below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from fmnist_cli.errors import ImageError
from fmnist_cli.runtime.decode import looks_like_image
from fmnist_cli.runtime.sources.base import Item, read_file

_COMMON = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib"}
SUFFIXES = _COMMON | {".tif", ".tiff", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pnm"}


_Kind = Literal["folder", "file", "broken", "other"]


@dataclass(frozen=True, slots=True)
class _Folder:
    identity: tuple[int, int]  # device and inode
    prefix: str
    entries: Iterator[os.DirEntry[str]]


def _unlistable(reason: str) -> bytes:
    raise ImageError(f"cannot list the folder: {reason}")


class FolderSource:
    """Pictures below a folder, depth first, each folder's entries sorted by name.

    A file counts as a picture when its suffix or its content says so; a file with a
    picture's suffix always gets a row, whatever is in it. Hidden files and folders are
    left alone. Links are followed, but never into a folder that is being walked already.
    """

    def __init__(self, root: Path, prefix: str = "") -> None:
        self._root = root
        self._prefix = prefix
        self.skipped = 0

    def __iter__(self) -> Iterator[Item]:
        self.skipped = 0
        walked: list[_Folder] = []  # from the root down; deeper than the interpreter can recurse
        yield from self._enter(str(self._root), self._prefix, walked)
        while walked:
            folder = walked[-1]
            entry = next(folder.entries, None)
            if entry is None:
                walked.pop()
                continue
            if entry.name.startswith("."):
                continue
            name = f"{folder.prefix}{entry.name}"
            kind = _kind(entry)
            if kind == "folder":
                yield from self._enter(entry.path, f"{name}/", walked)
            elif _is_picture(entry, kind):
                yield Item(name, partial(read_file, entry.path))
            else:
                self.skipped += 1

    @staticmethod
    def _enter(location: str, prefix: str, walked: list[_Folder]) -> Iterator[Item]:
        """Go down into a folder; one item with the reason when that is impossible."""
        try:
            status = os.stat(location)  # noqa: PTH116
            identity = (status.st_dev, status.st_ino)
            if any(folder.identity == identity for folder in walked):
                return
            with os.scandir(location) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            name = prefix.rstrip("/") or location
            yield Item(name, partial(_unlistable, error.strerror or str(error)))
            return
        walked.append(_Folder(identity, prefix, iter(ordered)))


def _kind(entry: os.DirEntry[str]) -> _Kind:
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
    except OSError:  # a link in a circle, or into a folder that is closed to us
        return "broken"
    # A link to nothing is broken, one to a pipe is not.
    dangling = entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110
    return "broken" if dangling else "other"


def _is_picture(entry: os.DirEntry[str], kind: _Kind) -> bool:
    if os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122
        return kind in ("file", "broken")  # a pipe or socket would block
    if kind != "file":
        return False
    try:
        with open(entry.path, "rb") as file:  # noqa: PTH123
            return looks_like_image(file.read(16))
    except OSError:
        return True  # it might be one: its row will hold the reason
