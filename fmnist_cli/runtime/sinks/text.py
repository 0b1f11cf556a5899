"""Aligned lines for people at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from fmnist_cli.runtime.rows import Prediction, Row


def printable(text: str) -> str:
    """`text` without control characters: a file name must not move the cursor."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class TextSink:
    """Label, confidence, runner-up and path, one line each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def _line(self, row: Row) -> str:
        path = printable(row.path)
        if not isinstance(row, Prediction):
            return f"{'(rejected)':<12} {'':>7}  {path}  {printable(row.error)}\n"
        others = ", ".join(f"{c.label} {c.probability:.1%}" for c in row.top[1:])
        return (
            f"{row.label:<12} {row.confidence:>7.1%}  {path}{f'  ({others})' if others else ''}\n"
        )

    def write(self, rows: Sequence[Row]) -> None:
        """Write some rows."""
        self._stream.write("".join(map(self._line, rows)))
