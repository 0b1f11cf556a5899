"""Output files that are whole or not there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from fmnist_cli.errors import UsageError


def partial_path(target: Path) -> Path:
    """Where rows are kept until all are written."""
    return target.with_name(f"{target.name}.partial")


@contextmanager
def open_output(target: Path | None) -> Iterator[TextIO]:
    """A UTF-8 text stream to `target`, or to standard output for None.

    The file takes its name only when the block ends without an error; until then, and
    after an interruption, the rows are in ``TARGET.partial``.

    Raises:
        UsageError: the file cannot be created.
    """
    if target is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        yield sys.stdout
        sys.stdout.flush()
        return
    if target.is_dir():
        raise UsageError(f"--output {str(target)!r} is a folder; give the name of a file")
    partial = partial_path(target)
    try:
        stream = partial.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {partial}: {error.strerror or error}") from error
    with stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(target)
