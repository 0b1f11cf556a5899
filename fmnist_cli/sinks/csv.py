"""CSV with a header, RFC 4180 quoting, and the candidates in columns of their own.

Spreadsheets take a cell that starts with ``=`` or the like for a formula. Such a cell of text,
and one that starts with an apostrophe, is written with one apostrophe in front; `read` takes
exactly one away. Numbers are never touched. Excel reads names in UTF-8 only behind a byte order
mark. For names that are not UTF-8 see `fmnist_cli.sinks.base.encodable`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fmnist_cli.contract import Candidate, Prediction, Rejected, Row
from fmnist_cli.errors import DataError
from fmnist_cli.sinks.base import encodable, original

_COLUMNS = ("path", "status", "class_id", "label", "confidence", "prepared", "error")
_MODEL = "model"  # after these, where there are several models
# What starts a formula (also in full width, as spreadsheets of the Far East read it) or would
# be taken for our own mark; what needs quotes; what `encodable` may change.
_NOT_PLAIN = re.compile(r"""^[=+\-@\t\r\n'＝＋－＠]|[",\r\n\\\ud800-\udfff]""")
_GUARDED = frozenset("=+-@\t\r\n'＝＋－＠")
_QUOTED = re.compile(r'[",\r\n]')


def _cell(text: str) -> str:
    if _NOT_PLAIN.search(text) is None:
        return text
    text = encodable(text)
    if text[0] in _GUARDED:
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


_label_cell = lru_cache(maxsize=1024)(_cell)  # a few names, many times


def _text(cell: str) -> str:
    return original(cell[1:] if cell.startswith("'") else cell)


def _header(top_k: int, models: bool) -> list[str]:
    ranks = range(1, top_k + 1)
    candidates = (name for n in ranks for name in (f"label_{n}", f"probability_{n}"))
    return [*_COLUMNS, *([_MODEL] if models else []), *candidates]


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """Rows as CSV; `label_1`, `probability_1` … hold the `top_k` candidates, best first."""

    top_k: int
    models: bool = False
    mark: bool = False

    def header(self) -> str:
        """The names of the columns, after the byte order mark if there is to be one."""
        return "\ufeff" * self.mark + ",".join(_header(self.top_k, self.models)) + "\n"

    def lines(self, rows: Sequence[Row]) -> str:
        """One record per row, all as wide as the header."""
        return "".join(map(self._line, rows))

    def _line(self, row: Row) -> str:
        if not isinstance(row, Prediction):
            more = f"{',' * self.models}{',,' * self.top_k}"
            return f"{_cell(row.path)},error,,,,,{_cell(row.error)}{more}\n"
        path, class_id, label, confidence, top, prepared, model, _ = row
        model = f",{_label_cell(model or '')}" if self.models else ""
        top = top[: self.top_k]
        candidates = "".join([f",{_label_cell(name)},{value!r}" for name, value in top])
        return (
            f"{_cell(path)},ok,{'' if class_id is None else class_id},{_label_cell(label)},"
            f"{confidence!r},{prepared},{model}{candidates}{',,' * (self.top_k - len(top))}\n"
        )

    def read(self, path: Path) -> Iterator[Row]:
        """The rows of a file, streamed; its header says how many candidates there are.

        Raises:
            DataError: it cannot be read, or a record is no row.
        """
        import csv

        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                if _is_cut_off(path):  # half a number would read as a number
                    raise DataError(f"{path} is cut off in its last line")
                records = csv.reader(file, strict=True)
                try:
                    header = next(records, [])
                    models = _MODEL in header
                    if header != _header((len(header) - len(_COLUMNS)) // 2, models):
                        raise ValueError("the columns are not those of results")
                    for cells in records:
                        if len(cells) != len(header):
                            raise ValueError(f"{len(cells)} cells under {len(header)} columns")
                        yield _row(cells, models)
                except (csv.Error, ValueError) as error:
                    raise DataError(
                        f"{path}, line {records.line_num} is no row of results: {error}"
                    ) from error
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _is_cut_off(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return size > 0 and file.read(1) != b"\n"


def _row(cells: Sequence[str], models: bool) -> Row:
    """The inverse of `CsvFormat.lines`; ValueError when it is no row."""
    path, status, class_id, label, confidence, prepared, reason = cells[: len(_COLUMNS)]
    if status == "error":
        return Rejected(_text(path), _text(reason))
    if status != "ok":
        raise ValueError(f"status {status!r}")
    first = len(_COLUMNS) + models
    candidates = zip(cells[first::2], cells[first + 1 :: 2], strict=True)
    top = tuple([Candidate(_text(name), float(value)) for name, value in candidates if value])
    return Prediction(
        _text(path),
        int(class_id) if class_id else None,
        _text(label),
        float(confidence),
        top,
        prepared,
        _text(cells[len(_COLUMNS)]) if models else None,
    )
