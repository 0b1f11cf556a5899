"""Members of archives: their names, and reading them by address from any worker."""

from __future__ import annotations

import os
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.sources.items import HEAD, MAX_BYTES, too_large

OUTSIDE = "its name points outside the archive"
LINK = "is a link inside the archive, and links are not followed there"


class Archive(NamedTuple):
    """One file that holds many pictures, as it was when it was opened.

    All items of an archive share one of these, so a chunk of items is pickled with it once.
    """

    location: str
    size: int
    changed: int  # ns

    @classmethod
    def at(cls, path: Path) -> Archive:
        """The archive in a file.

        Raises:
            DataError: the file cannot be looked at.
        """
        try:
            status = path.stat()
        except OSError as error:
            raise unreadable_archive(path, error) from error
        return cls(str(path), status.st_size, status.st_mtime_ns)


def unreadable_archive(path: Path, error: OSError) -> DataError:
    """The error for an archive that the system will not let us read."""
    return DataError(f"{path}: cannot be read ({error.strerror or error})")


class _Handle:
    """A file descriptor that is closed once nobody uses it any more, in whatever thread."""

    def __init__(self, archive: Archive) -> None:
        self.number = os.open(archive.location, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        status = os.fstat(self.number)
        self.same = (status.st_size, status.st_mtime_ns) == archive[1:]
        self.lock = threading.Lock()

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)


# Per process. Neighbouring items are of one archive, so a few are enough for thousands of shards.
@lru_cache(maxsize=4)
def _handle(archive: Archive) -> _Handle:
    return _Handle(archive)


def read_at(archive: Archive, offset: int, length: int) -> bytes:
    """Bytes `offset` to `offset + length` of an archive, fewer at its end.

    Raises:
        ImageError: with the system's reason, or because the archive is another one by now.
    """
    try:
        handle = _handle(archive)
        if not handle.same:
            raise ImageError("the archive was changed while it was being read")
        if sys.platform == "win32":
            with handle.lock:  # there is one position per file
                os.lseek(handle.number, offset, os.SEEK_SET)
                return os.read(handle.number, length)
        return os.pread(handle.number, length, offset)
    except OverflowError:
        raise ImageError("damaged: it is not where the archive's list says") from None
    except OSError as error:
        raise ImageError(f"cannot read the archive: {error.strerror or error}") from error


def member_path(name: str) -> str | None:
    """The path of a member, without "./" and leading "/"; None for what is left alone.

    Hidden members are left alone as in folders, and so is what macOS adds to archives.
    """
    if name.startswith("__MACOSX/"):
        return None
    if name[:1] not in ("", ".", "/") and "/." not in name and "//" not in name:
        return name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or any(part.startswith(".") and part != ".." for part in parts):
        return None
    return "/".join(parts)


def points_outside(path: str) -> bool:
    """Whether a member's path climbs out of the archive; such a name must reach no sink."""
    return ".." in path and ".." in path.split("/")


class MemberItem(NamedTuple):
    """A picture that lies uncompressed in an archive.

    Attributes:
        path: stable name.
        archive: where it lies.
        offset: of its first byte.
        length: bytes.
        mark: what else tells a changed member, such as its time of change.
    """

    path: str
    archive: Archive
    offset: int
    length: int
    mark: str

    @property
    def location(self) -> None:
        """None: it is part of a file."""
        return

    @property
    def held(self) -> int:
        """Nothing: the worker reads it."""
        return 0

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """The member's bytes."""
        if self.length > max_bytes:
            raise too_large(self.length, max_bytes)
        data = read_at(self.archive, self.offset, self.length)
        if len(data) < self.length:
            raise ImageError("cut off: the archive ends within it")
        return data

    def head(self) -> bytes:
        """The member's first bytes."""
        return read_at(self.archive, self.offset, min(HEAD, self.length))

    def signature(self) -> str:
        """Size and mark."""
        return f"{self.length} {self.mark}"

    def size(self) -> int:
        """Size of the member."""
        return self.length
