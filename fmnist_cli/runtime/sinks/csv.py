"""CSV with a header, RFC 4180 quoting, and the candidates in columns of their own."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TextIO

from fmnist_cli.runtime.rows import Prediction, Row


def _encodable(text: str) -> str:
    """`text` with what UTF-8 cannot hold (names in another encoding) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


class CsvSink:
    """Rows as CSV; `label_1`, `probability_1` … hold the candidates, best first."""

    def __init__(self, stream: TextIO, top_k: int) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")
        self._top_k = top_k
        header = ["path", "status", "class_id", "label", "confidence", "prepared", "error"]
        for rank in range(1, top_k + 1):
            header += [f"label_{rank}", f"probability_{rank}"]
        self._writer.writerow(header)

    def _cells(self, row: Row) -> list[str | float | None]:
        path = _encodable(row.path)
        if not isinstance(row, Prediction):
            empty: list[str | float | None] = [None] * (2 * self._top_k)
            return [path, "error", None, None, None, None, _encodable(row.error), *empty]
        cells: list[str | float | None] = [path, "ok", row.class_id, row.label, row.confidence]
        cells += [row.prepared, None]
        for candidate in row.top:
            cells += [candidate.label, candidate.probability]
        return cells

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._writer.writerows(self._cells(row) for row in rows)
