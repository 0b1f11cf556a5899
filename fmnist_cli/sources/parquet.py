"""The pictures in a Parquet file, one per row, as data sets of images are often published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmnist_cli.errors import DataError, MissingExtraError, UsageError
from fmnist_cli.sources.archive import member_path, points_outside
from fmnist_cli.sources.containers import ContainerSource
from fmnist_cli.sources.items import HeldItem, Item, UnreadableItem, too_large

if TYPE_CHECKING:
    import pyarrow

_NAME_COLUMNS = ("path", "file_name", "filename", "file", "name", "key", "__key__", "id")
_BATCH = 64  # rows held at once
# Bytes read at once, instead of all pictures of a row group, which may be gigabytes.
_BUFFER = 1 << 20


class ParquetSource(ContainerSource):
    """Rows of a Parquet file, in order, each with a picture file's bytes in one column.

    The column holds bytes, or is a struct with the fields bytes and path. The name of a row
    is that path, or stands in a column of text called path, file_name, filename, file, name,
    key, __key__ or id; else it is the row's number with eight digits.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: it is no Parquet file that can be read.
        UsageError: it is not clear which column holds the pictures.
    """

    def __init__(self, path: Path, *rest: Any) -> None:
        super().__init__(path, *rest)
        with self._open() as file:
            self._columns = _columns(path, file.schema_arrow, self._selection.image_column)

    def _open(self) -> Any:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise MissingExtraError("pyarrow", "parquet") from None
        try:
            return pyarrow.parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=_BUFFER)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{self._path}: not a whole Parquet file ({error})") from error

    def __iter__(self) -> Iterator[Item]:
        number = 0
        with self._open() as file:
            batches = file.iter_batches(_BATCH, columns=self._columns, use_threads=False)
            try:
                for batch in batches:
                    names, pictures = self._values(batch)
                    for name, content in zip(names, pictures, strict=True):
                        item = self._item(name or f"{number:08d}", content)
                        if item is not None:
                            yield item
                        number += 1
            # Arrow's exceptions are ValueError, OSError, … and never an ImageError of ours.
            except Exception as error:
                reason = f"damaged after {number:,} rows: {error}"
                yield UnreadableItem(self._path.as_posix(), reason)

    def _values(self, batch: pyarrow.RecordBatch) -> tuple[list[str | None], list[bytes | None]]:
        """Name and picture of each row of a batch."""
        import pyarrow

        pictures = batch.column(self._columns[0])
        names: list[str | None] = [None] * batch.num_rows
        if pyarrow.types.is_struct(pictures.type):
            fields = pictures.flatten()  # a field is null where the struct is
            for index, field in enumerate(pictures.type):
                if field.name == "path":
                    names = fields[index].to_pylist()
            pictures = fields[pictures.type.get_field_index("bytes")]
        elif len(self._columns) > 1:
            names = batch.column(self._columns[1]).to_pylist()
        return [_safe(name) for name in names], pictures.to_pylist()

    def _item(self, name: str, content: bytes | None) -> Item | None:
        if not self._selection.wants(name):
            return None
        path = self._prefix + name
        if content is None:
            return UnreadableItem(path, "no picture: the value is null")
        if len(content) > self._selection.max_bytes:
            return UnreadableItem(path, str(too_large(len(content), self._selection.max_bytes)))
        return HeldItem(path, content)


def _safe(name: str | None) -> str | None:
    """A name as a relative path; None for one that is empty or points elsewhere."""
    path = member_path(name) if name else None
    return None if path is None or points_outside(path) else path


def _columns(path: Path, schema: pyarrow.Schema, asked: str | None) -> list[str]:
    """The columns to read: that of the pictures, then that of the names if there is one."""
    found = [field.name for field in schema if _holds_pictures(field.type)]
    if asked is not None:
        if asked not in found:
            there = f"choose from {', '.join(found)}" if found else "no column does"
            raise UsageError(f"{path}: no column {asked!r} with bytes; {there}")
        found = [asked]
    if len(found) != 1:
        if not found:
            raise UsageError(
                f"{path}: no column holds bytes, so there are no pictures in it; "
                f"its columns are {', '.join(schema.names)}"
            )
        raise UsageError(
            f"{path}: several columns hold bytes: {', '.join(found)}. "
            "Say which are the pictures: --image-column NAME"
        )
    picture = found[0]
    kind = schema.field(picture).type
    if hasattr(kind, "get_field_index") and kind.get_field_index("path") >= 0:
        return [picture]
    named = (name for name in _NAME_COLUMNS if name in schema.names and name != picture)
    return [picture, *(name for name in named if _is_text(schema.field(name).type))][:2]


def _is_bytes(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(
        types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    )


def _is_text(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _holds_pictures(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        return _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)
