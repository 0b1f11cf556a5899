"""The kinds of files that hold many pictures, told by content, plain or compressed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from typing import Protocol, cast

from fmnist_cli.errors import DataError, ImageError, UsageError
from fmnist_cli.sources.archive import unreadable_archive
from fmnist_cli.sources.items import Selection, Skipped, Source, read_head
from fmnist_cli.sources.kinds import SNIFF, is_archive, kind_of

_MODULES = {
    "gzip": ("gzip",),
    "bzip2": ("bz2",),
    "xz": ("lzma",),
    "Zstandard": ("compression.zstd", "backports.zstd"),  # the first from Python 3.14 on
}
COMPRESSIONS = frozenset(_MODULES)
_XZ_MEMORY = 256 << 20  # bytes; xz -9 needs 65 MiB


class _Module(Protocol):
    def open(self, path: Path, mode: str, /) -> BufferedReader: ...


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
        self._broken: BrokenStreamError | None = None
        try:
            self._file: BufferedReader
            if compression is None:
                self._file = path.open("rb")
            else:
                self._file = _decompressor(path, compression).open(path, "rb")
        except OSError as error:
            raise unreadable_archive(path, error) from error

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end only, and once before what is damaged.

        Raises:
            BrokenStreamError: the compressed data is damaged or ends too early.
        """
        if self._broken is not None:
            raise self._broken
        parts = []
        try:
            while size > 0 and (part := self._file.read1(size)):
                parts.append(part)
                size -= len(part)
        except Exception as error:
            # Each decompressor has exceptions of its own; damaged data is all they mean here.
            self._broken = BrokenStreamError(str(error) or type(error).__name__)
            if not parts:
                raise self._broken from error
        return b"".join(parts)

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


def _check_dictionary(path: Path) -> None:
    """Whether xz data can be read with `_XZ_MEMORY`, which Python's own reader does not look at.

    Raises:
        BrokenStreamError: it cannot.
    """
    import lzma

    with path.open("rb") as file:
        try:
            lzma.LZMADecompressor(memlimit=_XZ_MEMORY).decompress(file.read(4096), 1)
        except lzma.LZMAError as error:
            raise BrokenStreamError(str(error)) from error


# Kind, as `fmnist_cli.sources.kinds` names it → module and class, loaded when the first is met.
CONTAINERS = {
    "zip": ("fmnist_cli.sources.zip", "ZipSource"),
    "tar": ("fmnist_cli.sources.tar", "TarSource"),
    "Parquet": ("fmnist_cli.sources.parquet", "ParquetSource"),
    "IDX": ("fmnist_cli.sources.idx", "IdxSource"),
}
# Those that can be read from the front, and therefore compressed as a whole.
STREAMED = frozenset({"tar", "IDX"})


class ContainerSource:
    """What the sources of files that hold many have in common.

    Args:
        path: the file.
        prefix: put before the paths of what is in it.
        selection: what to take.
        compression: as for `Forward`, of those in `STREAMED`.
    """

    def __init__(
        self,
        path: Path,
        prefix: str = "",
        selection: Selection | None = None,
        compression: str | None = None,
    ) -> None:
        self._path = path
        self._prefix = prefix
        self._selection = selection or Selection()
        self._compression = compression
        self.skipped = Skipped()


def open_container(path: Path, prefix: str, selection: Selection) -> Source | None:
    """The source for a file that holds many pictures; None for any other file.

    Raises:
        UsageError: it holds something else than pictures, or cannot be read here.
        DataError: it is damaged.
    """
    kind, compression = kind_of_container(path)
    if kind not in CONTAINERS:
        return None
    module, name = CONTAINERS[kind]
    source = cast("Callable[..., Source]", getattr(import_module(module), name))
    return source(path, prefix, selection, compression)


def kind_of_container(path: Path) -> tuple[str, str | None]:
    """The kind of a file, or of what is compressed in it, and the compression."""
    try:
        head = read_head(str(path), SNIFF)
    except ImageError:
        return "other", None  # its row will hold the reason
    kind = kind_of(head)
    if kind == "other" and path.suffix.lower() == ".zip":  # one that begins with a program
        kind = "zip"
    if kind not in COMPRESSIONS:
        return kind, None
    try:
        if kind == "xz":
            _check_dictionary(path)
        with Forward(path, kind) as stream:
            inner = kind_of(stream.read(SNIFF))
    except BrokenStreamError as error:
        if is_archive(path.name, head):
            raise DataError(f"{path}: the {kind} data is damaged or cut off ({error})") from error
        return "other", None
    return (inner, kind) if inner in STREAMED else ("other", None)
