"""The interface of a source."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from fmnist_cli.errors import ImageError


@dataclass(frozen=True, slots=True)
class Item:
    """One input: a stable name, and how to get its bytes.

    `read` raises `ImageError` with the reason when it cannot.
    """

    path: str
    read: Callable[[], bytes]


class Source(Protocol):
    """Streams items in a stable order."""

    @property
    def skipped(self) -> int:
        """Files seen so far that are no pictures by name or content."""

    def __iter__(self) -> Iterator[Item]:
        """The items, in order."""


MAX_BYTES = 512 * 1024 * 1024


def read_file(location: str) -> bytes:
    """The bytes of a file.

    Raises:
        ImageError: with the operating system's reason, or for more than `MAX_BYTES`.
    """
    try:
        # Unbuffered: the file is read whole, in one call.
        with open(location, "rb", buffering=0) as file:  # noqa: PTH123
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise ImageError(f"too large: {size:,} bytes, at most {MAX_BYTES:,}")
            return file.read()
    except OSError as error:
        raise ImageError(f"cannot read the file: {error.strerror or error}") from error
