"""Parquet: typed columns, `top` as a list, streamed in row groups of a fixed size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_cli.contract import Candidate, Prediction, Rejected, Row
from fmnist_cli.errors import DataError, MissingExtraError
from fmnist_cli.files import check_target, whole_file, writing
from fmnist_cli.sinks.base import FileSink, encodable, original
from fmnist_cli.sources.items import Item

# However rows arrive, they are cut into groups of this many: equal rows give equal bytes.
GROUP_ROWS = 16_384
_GROUP_ROWS_OF_EMBEDDINGS = 2_048  # which are kilobytes each
_READ_ROWS = 1_024
_NOTE = "fmnist"  # key of the metadata


def load_pyarrow() -> Any:
    """The package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet") from None
    return pyarrow


def _schema(pa: Any, models: bool, embeddings: bool) -> Any:
    few = pa.dictionary(pa.int32(), pa.string())  # a few texts, many times
    candidate = pa.struct([("label", pa.string()), ("probability", pa.float64())])
    columns = {
        "path": pa.string(),
        "status": few,
        "class_id": pa.int32(),
        "label": few,
        "confidence": pa.float64(),
        "top": pa.list_(candidate),
        "prepared": few,
        "error": pa.string(),
        **({"model": few} if models else {}),
        **({"embedding": pa.list_(pa.float32())} if embeddings else {}),
    }
    return pa.schema(list(columns.items()))


class ParquetSink(FileSink):
    """Rows as one Parquet file; names that are not UTF-8 are `encodable`."""

    def __init__(
        self,
        path: Path,
        top_k: int,
        *,
        models: bool = False,
        embeddings: bool = False,
        note: str = "",
    ) -> None:
        """`top` holds at most `top_k` candidates.

        Args:
            path: the file.
            top_k: candidates per row.
            models: whether rows say which model made them.
            embeddings: whether rows have their embedding.
            note: text that goes with the rows, for `read_note`.

        Raises:
            MissingExtraError: pyarrow is not installed.
            UsageError: the file cannot be made.
        """
        self._pa = load_pyarrow()
        self._schema = _schema(self._pa, models, embeddings)
        self._group_rows = _GROUP_ROWS_OF_EMBEDDINGS if embeddings else GROUP_ROWS
        self._path = check_target(path)
        self._top_k = top_k
        self._note = note
        self._rows: list[Row] = []
        self._writer: Any = None

    @contextmanager
    def _open(self) -> Iterator[None]:
        with whole_file(self._path) as partial:
            with writing(partial):
                self._writer = self._pa.parquet.ParquetWriter(partial, self._schema)
            try:
                yield
                if self._rows:
                    self._write_group(self._rows)
                if self._note:
                    self._writer.add_key_value_metadata({_NOTE: self._note})
            finally:
                with writing(partial):
                    self._writer.close()

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Take some rows; a group is written as soon as it is full."""
        del items
        self._rows.extend(rows)
        while len(self._rows) >= self._group_rows:
            self._write_group(self._rows[: self._group_rows])
            del self._rows[: self._group_rows]

    def _write_group(self, rows: Sequence[Row]) -> None:
        with writing(self._path):
            self._writer.write_table(self._table(rows), row_group_size=self._group_rows)

    def _table(self, rows: Sequence[Row]) -> Any:
        pa, schema = self._pa, self._schema
        good = [row if isinstance(row, Prediction) else None for row in rows]
        bad = [row if isinstance(row, Rejected) else None for row in rows]
        tops = [row.top[: self._top_k] if row else () for row in good]
        ends = [0]
        for top in tops:
            ends.append(ends[-1] + len(top))
        entries = pa.StructArray.from_arrays(
            [
                pa.array([entry.label for top in tops for entry in top], pa.string()),
                pa.array([entry.probability for top in tops for entry in top], pa.float64()),
            ],
            fields=list(schema.field("top").type.value_type),
        )
        columns = {
            "path": [encodable(row.path) for row in rows],
            "status": ["ok" if row else "error" for row in good],
            "class_id": [row and row.class_id for row in good],
            "label": [row and row.label for row in good],
            "confidence": [row and row.confidence for row in good],
            "top": pa.ListArray.from_arrays(pa.array(ends, pa.int32()), entries),
            "prepared": [row and row.prepared for row in good],
            "error": [row and encodable(row.error) for row in bad],
        }
        if "model" in schema.names:
            columns["model"] = [row and row.model for row in good]
        if "embedding" in schema.names:
            columns["embedding"] = [row and _numbers(row.embedding) for row in good]
        return pa.table(columns, schema)


def read(path: Path) -> Iterator[Row]:
    """The rows of a file that `ParquetSink` wrote, streamed.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: it cannot be read, or does not hold rows.
    """
    pa = load_pyarrow()
    try:
        with pa.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            schema = _schema(pa, "model" in names, "embedding" in names)
            if not file.schema_arrow.equals(schema):
                raise DataError(f"{path} holds no rows of results: its columns are others")
            for batch in file.iter_batches(_READ_ROWS):
                yield from _rows(batch)
    except (OSError, pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(f"cannot read rows from {path}: {error}") from error


def read_note(path: Path) -> str:
    """The text that a file has beside its rows; empty if it has none.

    Raises:
        MissingExtraError: pyarrow is not installed.
        DataError: it cannot be read.
    """
    pa = load_pyarrow()
    try:
        values = pa.parquet.read_metadata(path).metadata or {}
        return str(values.get(_NOTE.encode(), b""), "utf-8")
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error


def _rows(batch: Any) -> Iterator[Row]:
    few = [name for name in batch.schema.names if name not in ("top", "embedding")]
    columns = {name: batch.column(name).to_pylist() for name in few}
    tops = batch.column("top")
    entries = tops.flatten()
    labels, probabilities = (entries.field(i).to_pylist() for i in range(2))
    candidates = map(Candidate, labels, probabilities)
    models = columns.get("model", repeat(None))
    embeddings: Iterable[Any] = repeat(None)
    if "embedding" in batch.schema.names:
        embeddings = batch.column("embedding")
    counts = tops.value_lengths().to_pylist()
    always = ("path", "status", "class_id", "label", "confidence", "prepared", "error")
    for path, status, class_id, label, confidence, prepared, error, count, model, embedding in zip(  # noqa: B905
        *(columns[name] for name in always), counts, models, embeddings
    ):
        top = tuple([next(candidates) for _ in range(count)])
        if status == "ok":
            feature = None if embedding is None else embedding.values.to_numpy().tobytes()
            yield Prediction(
                original(path), class_id, label, confidence, top, prepared, model, feature
            )
        else:
            yield Rejected(original(path), original(error))


def _numbers(embedding: bytes | None) -> Any:
    return None if embedding is None else np.frombuffer(embedding, np.float32)
