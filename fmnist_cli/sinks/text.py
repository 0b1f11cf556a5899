"""Aligned lines for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fmnist_cli.contract import UNKNOWN, Prediction, Row, printable
from fmnist_cli.errors import UsageError


@dataclass(frozen=True, slots=True)
class TextFormat:
    """Label, confidence, path and the other candidates, one line each."""

    models: bool = False

    def header(self) -> str:
        """Nothing."""
        return ""

    def lines(self, rows: Sequence[Row]) -> str:
        """One line per row."""
        return "".join([_line(row, self.models) for row in rows])

    def read(self, path: Path) -> Iterator[Row]:
        """Lines for people do not hold all of a row.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"{path}: rows cannot be read back from text; write JSONL or CSV")


def _line(row: Row, models: bool) -> str:
    path = printable(row.path)
    if not isinstance(row, Prediction):
        path = f"{'':<7} {path}" if models else path
        return f"{'(rejected)':<12} {'':>7}  {path}  {printable(row.error)}\n"
    path = f"{printable(row.model or ''):<7} {path}" if models else path
    # An unknown picture has no label of its own among the candidates: all are shown.
    named = bool(row.top) and row.top[0].label == row.label
    others = ", ".join(f"{printable(c.label)} {c.probability:.1%}" for c in row.top[named:])
    confidence = "" if row.label == UNKNOWN else f"{row.confidence:.1%}"
    return (
        f"{printable(row.label):<12} {confidence:>7}  {path}{f'  ({others})' if others else ''}\n"
    )
