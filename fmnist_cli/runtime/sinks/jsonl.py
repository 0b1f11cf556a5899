"""JSON Lines: one object per row, every row with the same keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TextIO

from fmnist_cli.runtime.rows import Prediction, Row

_encode = json.JSONEncoder(ensure_ascii=False).encode
_encode_ascii = json.JSONEncoder(ensure_ascii=True).encode


def row_to_json(row: Row) -> str:
    """One line without its newline, always encodable as UTF-8."""
    if isinstance(row, Prediction):
        top = [{"label": c.label, "probability": c.probability} for c in row.top]
        values = {
            "path": row.path,
            "status": "ok",
            "class_id": row.class_id,
            "label": row.label,
            "confidence": row.confidence,
            "top": top,
            "prepared": row.prepared,
            "error": None,
        }
    else:
        values = {
            "path": row.path,
            "status": "error",
            "class_id": None,
            "label": None,
            "confidence": None,
            "top": [],
            "prepared": None,
            "error": row.error,
        }
    line = _encode(values)
    try:
        line.encode()
    except UnicodeEncodeError:
        # A file name that is not UTF-8: escapes keep it recoverable with os.fsencode.
        return _encode_ascii(values)
    return line


class JsonlSink:
    """Rows as JSON Lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._stream.write("".join(f"{row_to_json(row)}\n" for row in rows))
