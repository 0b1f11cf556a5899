"""What sources yield: items with a stable name, read in as few system calls as it takes."""

from __future__ import annotations

import os
import stat
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fmnist_cli.errors import ImageError

if TYPE_CHECKING:
    from fmnist_cli.contract import Picture


MAX_BYTES = 512 * 1024 * 1024
# Bytes of a picture that cannot be read by address, and so goes from process to process.
MAX_HELD = 128 * 1024 * 1024
HEAD = 512  # bytes of a file that tell its kind


def unreadable(error: OSError | ValueError) -> ImageError:
    """The reason for a file that the system will not give us."""
    if isinstance(error, IsADirectoryError):
        return ImageError("is a folder; name it as an input, not in a list")
    reason = error.strerror if isinstance(error, OSError) else None
    return ImageError(f"cannot read the file: {reason or error}")


def too_large(size: int, max_bytes: int) -> ImageError:
    """The reason for a file above the limit."""
    cure = "see --max-bytes"
    if max_bytes == MAX_HELD:
        cure = "unpack the archive, so that it can be read from where it lies"
    return ImageError(f"too large: {size:,} bytes, at most {max_bytes:,}; {cure}")


# Not waiting: a pipe in a list that nobody writes to is empty instead of the end of the run.
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def read_file(location: str, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a file.

    Raises:
        ImageError: with the operating system's reason, or for more than `max_bytes`.
    """
    return read_with_status(location, max_bytes)[0]


def read_with_status(location: str, max_bytes: int) -> tuple[bytes, os.stat_result]:
    """The bytes of a file, and what the system says of the very file they came from.

    Raises:
        ImageError: with the operating system's reason, or for more than `max_bytes`.
    """
    # System calls by hand: half the time of a file object, and this is done for every picture.
    try:
        file = os.open(location, _READ)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                return _read_stream(file, max_bytes), status
            if status.st_size > max_bytes:
                raise too_large(status.st_size, max_bytes)
            data = os.read(file, status.st_size + 1)
            # The usual end. A file that is being written, or above 2 GB, comes in pieces.
            if len(data) != status.st_size:
                data = _read_stream(file, max_bytes, data)
            return data, status
        finally:
            os.close(file)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(error) from error


def _read_stream(file: int, max_bytes: int, begun: bytes = b"") -> bytes:
    """The rest of an open file of unknown size: a pipe, a device."""
    if hasattr(os, "set_blocking"):
        os.set_blocking(file, True)
    data = bytearray(begun)
    while piece := os.read(file, 1 << 20):
        data += piece
        if len(data) > max_bytes:
            raise too_large(len(data), max_bytes)
    return bytes(data)


def read_head(location: str, size: int) -> bytes:
    """The first bytes of a file, at most `size`.

    Raises:
        ImageError: with the operating system's reason.
    """
    try:
        file = os.open(location, _READ)
        try:
            return os.read(file, size)
        finally:
            os.close(file)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error


__all__ = [
    "HEAD",
    "MAX_BYTES",
    "FileItem",
    "HeldItem",
    "Item",
    "Selection",
    "Skipped",
    "Source",
    "UnreadableItem",
    "everything",
    "read_file",
    "read_head",
    "too_large",
]


class Item(Protocol):
    """One input: a stable name, and how to get its picture.

    Items travel to worker processes, so they are picklable; they hold an address rather
    than the content wherever the content can be read again by address.
    """

    @property
    def path(self) -> str:
        """Stable name: relative to the folder or archive that it was found in."""

    @property
    def location(self) -> str | None:
        """The file on disk that is this picture and nothing else; None inside archives."""

    @property
    def held(self) -> int:
        """Bytes of content in memory with the item; 0 when it is read when it is worked on."""

    def read(self, max_bytes: int = MAX_BYTES) -> bytes | Picture:
        """The file's bytes, or the picture where it needs no decoding.

        Raises:
            ImageError: with the reason why it cannot be had.
        """

    def head(self) -> bytes:
        """The first `HEAD` bytes, which tell the kind of file.

        Raises:
            ImageError: as for `read`.
        """

    def signature(self) -> str:
        """What changes when the content does, had cheaply: size and time of change, checksum."""


class Skipped:
    """Files that are no pictures by name or content.

    Attributes:
        count: how many.
        archives: those of them that could be opened if they were named.
        suffixes: how many by suffix, in lower case; few enough suffixes to be printed.
        paths: the first of them.
    """

    def __init__(self) -> None:
        self.count = self.archives = 0
        self.suffixes: Counter[str] = Counter()
        self.paths: list[str] = []

    def add(self, path: str, archive: bool = False) -> None:
        """Count one more."""
        suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
        if suffix not in self.suffixes and (len(suffix) > 10 or len(self.suffixes) >= _SUFFIXES):
            suffix = "other"
        self.count += 1
        self.archives += archive
        self.suffixes[suffix or "no suffix"] += 1
        if len(self.paths) < SHOWN:
            self.paths.append(path)

    @classmethod
    def of(cls, parts: Iterable[Skipped]) -> Skipped:
        """All of several together."""
        whole = cls()
        for part in parts:
            whole.count += part.count
            whole.archives += part.archives
            whole.suffixes += part.suffixes
            whole.paths += part.paths[: SHOWN - len(whole.paths)]
        return whole

    def __str__(self) -> str:
        """In words; empty when there are none."""
        if not self.count:
            return ""
        kinds = [f"{count:,} {suffix}" for suffix, count in self.suffixes.most_common(_NAMED)]
        kinds += ["…"] * (len(self.suffixes) > _NAMED)
        text = f"{self.count:,} other file{'s' * (self.count > 1)} skipped: {', '.join(kinds)}"
        if self.archives:
            text += (
                f"; {self.archives:,} archive{'s' * (self.archives > 1)} not opened; name them to"
            )
        return text


_SUFFIXES = 1000  # kept apart
_NAMED = 5  # in words
SHOWN = 100  # paths


class Source(Protocol):
    """Streams items in a stable order; iterating again starts anew."""

    @property
    def skipped(self) -> Skipped:
        """Files seen so far that are no pictures."""

    def __iter__(self) -> Iterator[Item]:
        """The items, in order."""


class FileItem:
    """A file on disk.

    Attributes:
        path: stable name.
        location: the file.
    """

    __slots__ = ("_status", "location", "path")
    held = 0  # the worker reads the file

    def __init__(self, path: str, location: str) -> None:
        self.path = path
        self.location = location
        self._status: os.stat_result | None = None

    def __eq__(self, other: object) -> bool:
        """Whether it is the same file under the same name."""
        if not isinstance(other, FileItem):
            return NotImplemented
        return (self.path, self.location) == (other.path, other.location)

    def __hash__(self) -> int:
        """As for `==`."""
        return hash((self.path, self.location))

    def __repr__(self) -> str:
        """Name and file."""
        return f"FileItem({self.path!r}, {self.location!r})"

    def __reduce__(self) -> tuple[type[FileItem], tuple[str, str]]:
        """Short, because millions of items go through the pipes of the pool."""
        return FileItem, (self.path, self.location)

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """The bytes of the file."""
        data, self._status = read_with_status(self.location, max_bytes)
        return data

    def head(self) -> bytes:
        """The first bytes of the file."""
        return read_head(self.location, HEAD)

    def signature(self) -> str:
        """Size and time of change, of what was read if it was; the reason if there are none."""
        try:
            status = self._status or os.stat(self.location)  # noqa: PTH116
        except (OSError, ValueError) as error:
            return str(unreadable(error))
        return f"{status.st_size} {status.st_mtime_ns}"

    def size(self) -> int | None:
        """Size of the file."""
        try:
            return os.stat(self.location).st_size  # noqa: PTH116
        except (OSError, ValueError):
            return None


class HeldItem(NamedTuple):
    """A picture whose content is at hand: from a stream that cannot be read twice, or an array.

    Attributes:
        path: stable name.
        content: encoded bytes or a decoded picture.
        mark: the signature; by default size and checksum of the content.
    """

    path: str
    content: bytes | Picture
    mark: str = ""

    @property
    def location(self) -> None:
        """None: there is no such file."""
        return

    @property
    def held(self) -> int:
        """Size of the content."""
        content = self.content
        return len(content) if isinstance(content, bytes) else content.grey.nbytes

    def read(self, max_bytes: int = MAX_BYTES) -> bytes | Picture:
        """The content."""
        if self.held > max_bytes:
            raise too_large(self.held, max_bytes)
        return self.content

    def head(self) -> bytes:
        """The first bytes; none for a decoded picture."""
        return self.content[:HEAD] if isinstance(self.content, bytes) else b""

    def signature(self) -> str:
        """The mark given by the source, or size and checksum."""
        content = self.content
        data = content if isinstance(content, bytes) else content.grey.tobytes()
        return self.mark or f"{len(data)} {zlib.crc32(data):08x}"

    def size(self) -> int:
        """Size of the content."""
        return self.held


class UnreadableItem(NamedTuple):
    """An input that is known to be unreadable: it gets its row, with the reason.

    Attributes:
        path: stable name.
        reason: what its row says.
        mark: the signature; by default the reason.
    """

    path: str
    reason: str
    mark: str = ""

    @property
    def location(self) -> None:
        """None: nothing can be done with the file, if there is one."""
        return

    @property
    def held(self) -> int:
        """Nothing."""
        return 0

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """Raise the reason."""
        del max_bytes
        raise ImageError(self.reason)

    def head(self) -> bytes:
        """Raise the reason."""
        raise ImageError(self.reason)

    def signature(self) -> str:
        """The mark given by the source, or the reason."""
        return self.mark or self.reason

    def size(self) -> None:
        """Unknown."""
        return


def everything(path: str) -> bool:
    """Want every path."""
    del path
    return True


class Selection(NamedTuple):
    """What to take from a source.

    Attributes:
        recursive: whether folders below a folder are read.
        wants: whether a picture of this (relative) path is to be taken; asked before
            anything is opened.
        enters: whether to go down into a folder of this (relative) path.
        max_bytes: content larger than this is not read.
        image_column: the column of pictures in Parquet files; None to find it.
    """

    recursive: bool = True
    wants: Callable[[str], bool] = everything
    enters: Callable[[str], bool] = everything
    max_bytes: int = MAX_BYTES
    image_column: str | None = None

    @property
    def max_held(self) -> int:
        """Content larger than this does not travel with an item."""
        return min(self.max_bytes, MAX_HELD)
