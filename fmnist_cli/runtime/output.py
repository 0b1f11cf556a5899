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
    target = target.resolve()  # behind a link lies the file that is meant
    # A pipe or device (/dev/null) is written to as it is; a file in its place would be wrong.
    direct = target.exists() and not target.is_file()
    written = target if direct else partial_path(target)
    try:
        stream = written.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {written}: {error.strerror or error}") from error
    with stream:
        yield stream
        stream.flush()
        if not direct:
            os.fsync(stream.fileno())
    if not direct:
        written.replace(target)
