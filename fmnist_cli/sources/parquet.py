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
_BATCH = 64  # rows held at once, at most
_BATCH_BYTES = 64 << 20  # and bytes of them, as far as the file tells before it is read
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
            schema = file.schema_arrow
            self._columns = _columns(path, schema, self._selection.image_column)
        picture = self._columns[0]
        nested = hasattr(schema.field(picture).type, "get_field_index")
        self._bytes = f"{picture}.bytes" if nested else picture

    def _open(self, *shared: str) -> Any:
        """The file; what is `shared`, columns of bytes, is read as a dictionary of its values."""
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise MissingExtraError("pyarrow", "parquet") from None
        try:
            return pyarrow.parquet.ParquetFile(
                self._path, pre_buffer=False, buffer_size=_BUFFER, read_dictionary=shared
            )
        except Exception as error:  # Arrow's, and those of names that are no text
            raise DataError(f"{self._path}: not a whole Parquet file ({error})") from error

    def __iter__(self) -> Iterator[Item]:
        number = 0
        with self._open(self._bytes) as file:
            try:
                rows = _rows_at_once(file.metadata)
                for batch in file.iter_batches(rows, columns=self._columns, use_threads=False):
                    names, pictures = self._values(batch)
                    for index in range(batch.num_rows):
                        name = None if names is None else _safe(_text(names[index]))
                        # One by one: many rows may share a value, which is there once.
                        item = self._item(name or f"{number:08d}", pictures[index].as_py())
                        if item is not None:
                            yield item
                        number += 1
            # Arrow's exceptions are ValueError, OSError, … and never an ImageError of ours.
            except Exception as error:
                reason = f"damaged after {number:,} rows: {error}"
                yield UnreadableItem(self._path.as_posix(), reason)

    def _values(self, batch: pyarrow.RecordBatch) -> tuple[pyarrow.Array | None, pyarrow.Array]:
        """The columns of names, if there is one, and of pictures."""
        import pyarrow

        pictures = batch.column(self._columns[0])
        names = batch.column(self._columns[1]) if len(self._columns) > 1 else None
        if pyarrow.types.is_struct(pictures.type):
            fields = dict(zip((field.name for field in pictures.type), pictures.flatten()))  # noqa: B905
            if "path" in fields and _is_text(fields["path"].type):
                names = fields["path"]
            pictures = fields["bytes"]
        return names, pictures

    def _item(self, name: str, content: bytes | None) -> Item | None:
        if not self._selection.wants(name):
            return None
        path = self._prefix + name
        if content is None:
            return UnreadableItem(path, "no picture: the value is null")
        if len(content) > self._selection.max_held:
            return UnreadableItem(path, str(too_large(len(content), self._selection.max_held)))
        return HeldItem(path, content)


def _rows_at_once(metadata: Any) -> int:
    """How many rows may be read at once, by the mean size of a row in each group of them.

    Not by what is said of a column: Arrow ends the process where that is damaged.
    """
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    largest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=1)
    return max(1, min(_BATCH, int(_BATCH_BYTES / max(1, largest))))


def _text(name: pyarrow.Scalar) -> str | None:
    """A text; what is not UTF-8 in it as in the names of files."""
    try:
        text: str | None = name.as_py()
    except UnicodeDecodeError:
        name = getattr(name, "value", name) if hasattr(name, "dictionary") else name
        text = name.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
    return text


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
    return _base(kind).endswith("binary")


def _is_text(kind: pyarrow.DataType) -> bool:
    return _base(kind).endswith("string")


def _base(kind: pyarrow.DataType) -> str:
    """Name of the type of the values, without the ways to store them: in a dictionary, as views."""
    kind = getattr(kind, "value_type", kind) if str(kind).startswith("dictionary") else kind
    return str(kind).partition("[")[0].removesuffix("_view")


def _holds_pictures(kind: pyarrow.DataType) -> bool:
    from pyarrow import types

    if types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        return _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)
