"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fmnist_cli.errors import FmnistError, UsageError


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then give it its name in one step.

    Raises:
        FmnistError: it cannot be written; the disk may be full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with writing(path):
        write(partial)
        partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Replace a UTF-8 text file in one step."""
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def check_target(path: Path) -> Path:
    """The file that `path` means, behind links; asked before a long run rather than after it.

    Raises:
        UsageError: it cannot be made.
    """
    path = path.resolve()
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: no permission to write to {path.parent}")
    if path.exists() and not path.is_file():
        raise UsageError(f"cannot write {path}: it exists and is not a file")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which file it was when the operating system refuses to write.

    Raises:
        FmnistError: it refused; the disk may be full.
    """
    try:
        yield
    except OSError as error:
        raise FmnistError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write; renamed to `path` when the block ends well, else removed.

    Raises:
        FmnistError: the file cannot be completed.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        with writing(partial):
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
