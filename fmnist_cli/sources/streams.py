"""Reading a file from its beginning to its end, decompressed on the way."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import IO, Protocol, cast

from fmnist_cli.errors import UsageError
from fmnist_cli.sources.archive import unreadable_archive

_MODULES = {
    "gzip": ("gzip",),
    "bzip2": ("bz2",),
    "xz": ("lzma",),
    "Zstandard": ("compression.zstd", "backports.zstd"),  # the first from Python 3.14 on
}
COMPRESSIONS = frozenset(_MODULES)
_STEP = 1 << 16


class _Module(Protocol):
    def open(self, path: Path, mode: str, /) -> IO[bytes]: ...


class BrokenStreamError(Exception):
    """The compressed data is damaged or ends too early."""


class Forward:
    """A file that is read forward only; a context manager.

    Args:
        path: the file.
        compression: one of `COMPRESSIONS`, or None for a plain file.

    Raises:
        UsageError: this Python cannot decompress it.
        DataError: the file cannot be opened.
    """

    def __init__(self, path: Path, compression: str | None = None) -> None:
        self._plain = compression is None
        self.position = 0
        try:
            self._file: IO[bytes]
            if compression is None:
                self._file = path.open("rb")
            else:
                self._file = _decompressor(path, compression).open(path, "rb")
        except OSError as error:
            raise unreadable_archive(path, error) from error

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end only.

        Raises:
            BrokenStreamError: the compressed data is damaged or ends too early.
        """
        try:
            data = self._file.read(size)
        except Exception as error:
            # Each decompressor has exceptions of its own; damaged data is all they mean here.
            raise BrokenStreamError(str(error) or type(error).__name__) from error
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        """Pass over `size` bytes; past the end of a plain file without complaint.

        Raises:
            BrokenStreamError: as for `read`.
        """
        if self._plain:
            self.position = self._file.seek(self.position + size)
            return
        while size > 0 and (data := self.read(min(size, _STEP))):
            size -= len(data)

    def __enter__(self) -> Forward:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _decompressor(path: Path, compression: str) -> _Module:
    for name in _MODULES[compression]:
        try:
            return cast("_Module", import_module(name))
        except ImportError:
            continue
    hint = ", or: pip install backports.zstd" if compression == "Zstandard" else ""
    raise UsageError(
        f"{path}: this Python cannot read {compression} data. Decompress the file first{hint}"
    )
