"""Reading picture files from disk, in as few system calls as it takes."""

from __future__ import annotations

import os
import stat

from fmnist_cli.errors import ImageError

MAX_BYTES = 512 * 1024 * 1024
HEAD = 32  # bytes of a file that tell its kind


def unreadable(error: OSError | ValueError) -> ImageError:
    """The reason for a file that the system will not give us."""
    if isinstance(error, IsADirectoryError):
        return ImageError("is a folder; name it as an input, not in a list")
    reason = error.strerror if isinstance(error, OSError) else None
    return ImageError(f"cannot read the file: {reason or error}")


def too_large(size: int, max_bytes: int) -> ImageError:
    """The reason for a file above the limit."""
    return ImageError(f"too large: {size:,} bytes, at most {max_bytes:,}; see --max-bytes")


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
