"""The pictures in a folder and the folders below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from fmnist_cli.errors import ImageError
from fmnist_cli.runtime.decode import looks_like_image
from fmnist_cli.runtime.sources.base import Item, read_file

_COMMON = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib"}
SUFFIXES = _COMMON | {".tif", ".tiff", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pnm"}


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
        yield from self._walk(str(self._root), self._prefix, ())

    def _walk(self, folder: str, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[Item]:
        try:
            status = os.stat(folder)  # noqa: PTH116
            identity = (status.st_dev, status.st_ino)
            if identity in above:
                return
            with os.scandir(folder) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            name = prefix.rstrip("/") or folder
            yield Item(name, partial(_unlistable, error.strerror or str(error)))
            return
        for entry in ordered:
            if entry.name.startswith("."):
                continue
            name = f"{prefix}{entry.name}"
            if entry.is_dir():
                yield from self._walk(entry.path, f"{name}/", (*above, identity))
            elif self._is_picture(entry):
                yield Item(name, partial(read_file, entry.path))
            else:
                self.skipped += 1

    @staticmethod
    def _is_picture(entry: os.DirEntry[str]) -> bool:
        if os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122
            # A pipe or socket would block; a dangling link is a picture that cannot be read.
            return entry.is_file() or entry.is_symlink()
        if not entry.is_file():
            return False
        try:
            with open(entry.path, "rb") as file:  # noqa: PTH123
                return looks_like_image(file.read(16))
        except OSError:
            return True  # it might be one: its row will hold the reason
