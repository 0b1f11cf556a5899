"""Putting one picture in its place: copied, linked or moved, whole or not at all.

Each function returns whether the picture is there now, also when an earlier run put it there,
and False when something else is in the way. Nothing is ever overwritten. An `ImageError` says
what is wrong with the picture's own file; an `OSError` is about the place.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from functools import lru_cache

from fmnist_cli.errors import ImageError, UsageError
from fmnist_cli.files import new_file

NAME_MAX = 255  # bytes of a name on most file systems
_ATTEMPTS = 1000
# What no name can hold. On Windows that is more, and some names are devices whatever their suffix.
_DEVICE = r"(?<![^/])(?i:con|prn|aux|nul|com\d|lpt\d)(?=[./]|$)"
_UNSAFE_BY_SYSTEM = {
    "posix": re.compile("[\0\ud800-\udc7f\udd00-\udfff]"),
    "nt": re.compile(rf'[\0-\x1f<>:"|?*\\]|(?<=[^./ ])[. ]+(?=/|$)|{_DEVICE}'),
}
_LABEL_UNSAFE = re.compile(rf'[\0-\x1f\x7f<>:"|?*\\\ud800-\udfff]|{_DEVICE}')


def label_folder(label: str, name_max: int = NAME_MAX) -> str:
    """One safe folder name for a label: ``T-shirt/top`` becomes ``T-shirt-top``."""
    name = label.replace("/", "-")
    safe = _LABEL_UNSAFE.sub("-", name).strip(" ").lstrip(".").rstrip(".")
    if safe != name or not safe:
        safe = f"{safe}~{_hash(label)}"
    return _shortened(safe, name_max)


def places(path: str, name_max: int = NAME_MAX) -> Iterator[str]:
    """Relative paths for a row's path, the first one that is free being the one to take.

    A clean relative path comes first as it is; one that is absolute or has empty, ``.`` or
    ``..`` components comes without them and with ``~HASH`` before its suffix. The others are
    names for when something else is in the way.
    """
    parts = _UNSAFE_BY_SYSTEM[os.name].sub("-", path).split("/")
    clean = [_shortened(part, name_max) for part in parts if part not in ("", ".", "..")]
    as_it_is = "/".join(parts) == path and len(clean) == len(parts)
    clean = clean or ["picture"]
    if not as_it_is:
        clean[-1] = _hashed(clean[-1], path, name_max)
    yield "/".join(clean)
    for attempt in range(1, _ATTEMPTS):
        yield _hashed(clean[-1], path, name_max, "" if attempt == 1 else f"-{attempt}")


def _hash(text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.sha1(encoded, usedforsecurity=False).hexdigest()[:8]


def _shortened(name: str, name_max: int) -> str:
    return name if len(os.fsencode(name)) <= name_max else _hashed(name, name, name_max)


def _hashed(name: str, of: str, name_max: int, more: str = "") -> str:
    """`name` with a hash before its suffix, cut to `name_max` bytes."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(os.fsencode(suffix)) > 16:
        stem, dot, suffix = name, "", ""
    end = f"~{_hash(of)}{more}{dot}{suffix}"
    stem = stem[:name_max]  # of a name of megabytes, too, what follows takes no time
    while len(os.fsencode(stem)) + len(os.fsencode(end)) > name_max:
        stem = stem[:-1]
    return stem + end


_MAX_KNOWN = 1_000
_PATH_MAX = 4096  # bytes, of a whole path; no system takes longer ones


class Folders:
    """Makes folders under a root, and remembers some of those that are there."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: set[str] = set()

    def make(self, label: str, place: str) -> bool:
        """Make those of the file `place` within the folder `label`.

        Returns:
            False when something else is in the way, or the path gets too long.

        Raises:
            UsageError: the label's own folder is a link or a file.
        """
        folder = self._root
        if len(os.fsencode(f"{folder}/{label}/{place}")) >= _PATH_MAX:
            return False
        for depth, name in enumerate((label, *place.split("/")[:-1])):
            folder = os.path.join(folder, name)  # noqa: PTH118
            if folder in self._known:
                continue
            try:
                os.mkdir(folder)  # noqa: PTH102
            except FileExistsError:
                # A link may lead out of the tree, so it is not followed.
                if not stat.S_ISDIR(os.lstat(folder).st_mode):
                    if depth == 0:
                        raise UsageError(f"{folder} is not a folder; remove it") from None
                    return False
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                return False
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known.add(folder)
        return True


_BLOCK = 1024 * 1024


def write_content(content: bytes, target: str, temporary: str) -> bool:
    """Make a file of `content`."""
    if os.path.lexists(target):
        return _holds(target, iter((content,)), len(content))
    with new_file(temporary) as file:
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
        with new_file(temporary) as file:
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
