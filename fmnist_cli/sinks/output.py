"""Where the rows of a run go: a stream that takes them as they come, or files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fmnist_cli.errors import UsageError


def is_stream(target: Path) -> bool:
    """Whether this is a pipe or a device, which a file must not take the place of."""
    return target.exists() and not target.is_file() and not target.is_dir()


@contextmanager
def open_stream(target: Path | None) -> Iterator[BinaryIO]:
    """Standard output for None, else a pipe or device.

    Raises:
        UsageError: it cannot be opened.
    """
    if target is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        stream = target.open("wb")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror or error}") from error
    with stream:
        yield stream
