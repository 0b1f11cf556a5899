"""Putting one picture in its place: copied, linked or moved, whole or not at all.

Each function returns whether the picture is there now, also when an earlier run put it there,
and False when something else is in the way. Nothing is ever overwritten. An `ImageError` says
what is wrong with the picture's own file; an `OSError` is about the place.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from functools import lru_cache

from fmnist_cli.errors import ImageError

_BLOCK = 1024 * 1024


def write_content(content: bytes, target: str, temporary: str) -> bool:
    """Make a file of `content`."""
    if os.path.lexists(target):
        return _holds(target, iter((content,)), len(content))
    with open(temporary, "wb") as file:  # noqa: PTH123
        file.write(content)
    os.replace(temporary, target)  # noqa: PTH105
    return True


def copy_file(location: str, target: str, temporary: str, *, sync: bool = False) -> bool:
    """Copy content and time of change; `sync` waits until the copy is on the disk."""
    try:
        source = open(location, "rb", buffering=0)  # noqa: PTH123, SIM115
    except OSError as error:
        raise ImageError(f"cannot read the file: {error.strerror or error}") from error
    with source:
        status = os.fstat(source.fileno())
        blocks = _blocks(source.fileno())
        if os.path.lexists(target):
            return _holds(target, blocks, status.st_size)
        with open(temporary, "wb") as file:  # noqa: PTH123
            file.writelines(blocks)
            if sync:
                file.flush()
                os.fsync(file.fileno())
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(temporary, target)  # noqa: PTH105
    return True


def link_file(location: str, target: str) -> bool:
    """Make a symbolic link to the absolute location."""
    if not os.path.lexists(location):
        raise ImageError("the file is no longer there")
    folder, name = os.path.split(location)
    absolute = os.path.join(_resolved(folder), name)  # noqa: PTH118
    try:
        os.symlink(absolute, target)  # noqa: PTH211
    except FileExistsError:
        return os.path.islink(target) and os.readlink(target) == absolute  # noqa: PTH114, PTH115
    return True


def move_file(location: str, target: str, temporary: str) -> bool:
    """Rename; across file systems copy, and remove only what is safely copied."""
    if not os.path.lexists(location):
        if os.path.lexists(target):
            return True  # an earlier run moved it
        raise ImageError("the file is gone, and it is not in the tree either")
    if os.path.lexists(target):
        if os.path.exists(location) and os.path.samefile(location, target):  # noqa: PTH110, PTH121
            return True
    elif not os.path.islink(location):  # noqa: PTH114  (a relative link would lead nowhere)
        try:
            os.rename(location, target)  # noqa: PTH104
        except PermissionError as error:
            raise ImageError(f"cannot be moved: {error.strerror}") from error
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return True
    if not copy_file(location, target, temporary, sync=True):
        return False
    try:
        os.unlink(location)  # noqa: PTH108
    except OSError as error:
        raise ImageError(f"copied, but cannot be removed: {error.strerror}") from error
    return True


@lru_cache(maxsize=64)
def _resolved(folder: str) -> str:
    return os.path.realpath(folder)


def _blocks(descriptor: int) -> Iterator[bytes]:
    try:
        while block := os.read(descriptor, _BLOCK):
            yield block
    except OSError as error:
        raise ImageError(f"cannot read the file: {error.strerror or error}") from error


def _holds(target: str, blocks: Iterator[bytes], size: int) -> bool:
    """Whether `target` is a file, not a link, of just this content."""
    status = os.lstat(target)
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        return False
    with open(target, "rb") as file:  # noqa: PTH123
        return all(file.read(len(block)) == block for block in blocks)
