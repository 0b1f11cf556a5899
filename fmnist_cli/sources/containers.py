"""The kinds of files that hold many pictures, told by content. One more is one line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from fmnist_cli.decode.kinds import SNIFF, is_archive, kind_of
from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.sources.base import Selection, Source, read_head

# Kind → module and class in this package, loaded when the first such file is met.
CONTAINERS = {
    "zip": ("zip", "ZipSource"),
    "tar": ("tar", "TarSource"),
    "Parquet": ("parquet", "ParquetSource"),
    "IDX": ("idx", "IdxSource"),
}
# Those that can be read from the front, and therefore compressed as a whole.
STREAMED = frozenset({"tar", "IDX"})


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
    source = cast(
        "Callable[..., Source]",
        getattr(import_module(f"fmnist_cli.sources.{module}"), name),
    )
    if kind in STREAMED:
        return source(path, prefix, selection, compression)
    return source(path, prefix, selection)


def kind_of_container(path: Path) -> tuple[str, str | None]:
    """The kind of a file, or of what is compressed in it, and the compression."""
    try:
        head = read_head(str(path), SNIFF)
    except ImageError:
        return "other", None  # its row will hold the reason
    kind = kind_of(head)
    if kind not in ("gzip", "bzip2", "xz", "Zstandard"):
        return kind, None

    from fmnist_cli.sources.streams import BrokenStreamError, Forward

    try:
        with Forward(path, kind) as stream:
            inner = kind_of(stream.read(SNIFF))
    except BrokenStreamError as error:
        if is_archive(path.name, head):
            raise DataError(f"{path}: the {kind} data is damaged or cut off ({error})") from error
        return "other", None
    return (inner, kind) if inner in STREAMED else ("other", None)
