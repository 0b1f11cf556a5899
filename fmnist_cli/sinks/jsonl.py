r"""JSON Lines: one object per row, every row with the same keys.

Names that are not UTF-8 are written with ``\udcXX`` escapes, which `json` (not every other
reader) turns back into the name that the operating system gave.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fmnist_cli.contract import Candidate, Prediction, Rejected, Row
from fmnist_cli.errors import DataError


def row_values(row: Row, models: bool = False, embeddings: bool = False) -> dict[str, Any]:
    """The object of a row; with these keys only where all rows have them."""
    model = embedding = None
    if isinstance(row, Prediction):
        path, class_id, label, confidence, top, prepared, model, embedding = row
        values: dict[str, Any] = {
            "path": path,
            "status": "ok",
            "class_id": class_id,
            "label": label,
            "confidence": confidence,
            "top": [{"label": name, "probability": probability} for name, probability in top],
            "prepared": prepared,
            "error": None,
        }
    else:
        values = _rejected(row)
    if models:
        values["model"] = model
    if embeddings:
        values["embedding"] = None if embedding is None else b64encode(embedding).decode()
    return values


def _rejected(row: Rejected) -> dict[str, Any]:
    return {
        "path": row.path,
        "status": "error",
        "class_id": None,
        "label": None,
        "confidence": None,
        "top": [],
        "prepared": None,
        "error": row.error,
    }


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is no text")
    return value


def _probability(value: object) -> float:
    if type(value) is float:
        return value
    if value not in (0, 1) or type(value) is not int:  # other programs write 1.0 as 1
        raise TypeError(f"{value!r} is no probability")
    return float(value)


def _row(values: Any) -> Row:
    """The inverse of `row_values`; KeyError, TypeError or ValueError when it is no row."""
    status = values["status"]
    if status == "error":
        return Rejected(_text(values["path"]), _text(values["error"]))
    if status != "ok":
        raise ValueError(f"status {status!r}")
    class_id = values["class_id"]
    if class_id is not None and type(class_id) is not int:
        raise TypeError(f"class_id {class_id!r}")
    model, embedding = values.get("model"), values.get("embedding")
    top = [
        Candidate(_text(entry["label"]), _probability(entry["probability"]))
        for entry in values["top"]
    ]
    return Prediction(
        _text(values["path"]),
        class_id,
        _text(values["label"]),
        _probability(values["confidence"]),
        tuple(top),
        _text(values["prepared"]),
        None if model is None else _text(model),
        None if embedding is None else b64decode(_text(embedding)),
    )


class JsonlFormat:
    """Rows as JSON Lines.

    Args:
        models: whether rows say which model made them.
        embeddings: whether rows have their embedding, as base64: for journals, not for people.
    """

    def __init__(self, models: bool = False, embeddings: bool = False) -> None:
        self._models, self._embeddings = models, embeddings

    def header(self) -> str:
        """Nothing."""
        return ""

    def lines(self, rows: Sequence[Row]) -> str:
        """One object per line, without spaces between its parts."""
        import orjson

        dumps, newline = orjson.dumps, orjson.OPT_APPEND_NEWLINE
        try:
            return b"".join([dumps(self._values(row), None, newline) for row in rows]).decode()
        except TypeError:  # a name that is not UTF-8
            return "".join([_line(self._values(row)) for row in rows])

    def _values(self, row: Row) -> dict[str, Any]:
        return row_values(row, self._models, self._embeddings)

    def read(self, path: Path) -> Iterator[Row]:
        """The rows of a file, streamed.

        Raises:
            DataError: it cannot be read, or a line is no row.
        """
        import orjson

        loads = orjson.loads
        try:
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        try:
                            values = loads(line)
                        except orjson.JSONDecodeError:
                            values = json.loads(line)  # knows names that are not UTF-8
                        row = _row(values)
                    except (ValueError, TypeError, KeyError, RecursionError) as error:
                        raise DataError(
                            f"{path}, line {number} is no row of results: {error}"
                        ) from error
                    yield row
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _line(values: dict[str, Any]) -> str:
    import orjson

    try:
        return orjson.dumps(values, None, orjson.OPT_APPEND_NEWLINE).decode()
    except TypeError:
        return json.dumps(values, separators=(",", ":")) + "\n"
