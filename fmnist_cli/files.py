"""Files that are whole or not there."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from fmnist_cli.errors import FmnistError, UsageError


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then give it its name in one step.

    Raises:
        FmnistError: it cannot be written; the disk may be full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path):
        partial = _new(path)
        write(partial)
        partial.replace(path)


def _new(path: Path) -> Path:
    """An empty file beside `path`, made now: a link of this name would lead elsewhere."""
    partial = path.with_name(f"{path.name}.partial")
    new_file(partial).close()
    return partial


def new_file(path: str | Path) -> BinaryIO:
    """A new file to write to; what a killed run left there is removed, be it a link."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108
    return open(path, "xb")  # noqa: PTH123


def open_own(path: Path, *, append: bool = True) -> BinaryIO:
    """A file that an earlier run may have begun, to read and to write at its end.

    Args:
        path: the file.
        append: whether it is made where it is not there; else it is read from its beginning.

    Raises:
        OSError: it cannot be opened, or is a link or no ordinary file, and so is none of ours.
    """
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_NONBLOCK", 0) | (os.O_APPEND | os.O_CREAT if append else 0)
    file = os.open(path, flags, 0o666)
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(file)
        raise OSError(errno.EEXIST, "it is a link or no ordinary file")
    return os.fdopen(file, "ab" if append else "rb+")


def read_json(path: Path) -> Any:
    """What a file of JSON holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON in UTF-8.
    """
    if path.exists() and not path.is_file():  # a pipe may never end
        raise ValueError("it is no ordinary file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    replace_file(path, lambda partial: partial.write_bytes(content))


def write_text(path: Path, text: str) -> None:
    """Replace a UTF-8 text file in one step."""
    write_bytes(path, text.encode("utf-8"))


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


def check_folder(out: Path, *, force: bool) -> None:
    """Refuse a folder whose content would be written over, but for hidden files of desktops.

    Raises:
        UsageError: it is a file, or a folder that is not empty, without `force`.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder")
    names = (entry.name for entry in out.iterdir()) if out.is_dir() and not force else ()
    if existing := sorted(name for name in names if not name.startswith(".")):
        raise UsageError(
            f"{out} is not empty (it holds {existing[0]}). Name another folder, or add --force to"
            " write into this one"
        )


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
    with writing(path):
        partial = _new(path)
    try:
        yield partial
        with writing(partial):
            with partial.open("rb+") as file:  # Windows syncs only what may be written to
                os.fsync(file.fileno())
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
