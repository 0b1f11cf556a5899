"""What `fmnist bench` prints: tables for people, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from fmnist_cli.bench.compare import Cell
    from fmnist_cli.bench.tables import Table

WIDTH = 100


def rich_table(table: Table, models: Mapping[str, Any]) -> RichTable:
    """One line per model; what was not measured shows as –."""
    from rich.markup import escape
    from rich.table import Table as RichTable

    made = RichTable(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    made.add_column("\nmodel", style="bold", overflow="fold")
    for column in table.columns:
        made.add_column("\n".join(column.head), justify="right", no_wrap=True)
    for name, result in models.items():
        values = [column.value(result) for column in table.columns]
        words = [
            "–" if value is None else column.words(value)
            for column, value in zip(table.columns, values, strict=True)
        ]
        made.add_row(escape(name), *words)
    return made


def print_document(document: Mapping[str, Any]) -> None:
    """Machine, tables and how to read them, on standard output."""
    from rich.console import Console

    from fmnist_cli.bench.tables import footer_text, header_text, tables_of

    console = Console(width=WIDTH, highlight=False)
    console.print(header_text(document), markup=False)
    for table in tables_of(document):
        console.print()
        console.print(rich_table(table, document["models"]))
    console.print()
    console.print(footer_text(document), markup=False)


def print_changes(
    cells: Sequence[Cell], since: str, gone: Sequence[str], added: Sequence[str], *, stderr: bool
) -> None:
    """The cells that moved beyond their intervals, and how many there are of each kind.

    Args:
        cells: all of them.
        since: when the earlier measurement was made.
        gone: models that only the earlier one has.
        added: models that only this one has.
        stderr: not on standard output, which holds JSON.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as RichTable

    from fmnist_cli.bench.words import rounded, shortened

    def words(value: float) -> str:
        if value >= 1e5:
            return shortened(value)
        return f"{value:.4f}" if value < 1 else rounded(value)

    table = RichTable(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("model", style="bold", overflow="fold")
    table.add_column("figure", no_wrap=True)
    for head in ("then", "now", "change", ""):
        table.add_column(head, justify="right", no_wrap=True)
    for cell in cells:
        if cell.verdict != "same":
            before, after = cell.old.median, cell.new.median
            change = f"{after / before - 1:+.1%}" if before else "–"
            table.add_row(
                escape(cell.model), cell.metric, words(before), words(after), change, cell.verdict
            )
    console = Console(width=WIDTH, highlight=False, stderr=stderr)
    console.print()
    counts = Counter(cell.verdict for cell in cells)
    console.print(
        f"Since {since}: {counts['better']} figures better, {counts['worse']} worse,"
        f" {counts['same']} the same within their 95 % intervals.",
        markup=False,
    )
    if table.row_count:
        console.print(table)
    for names, what in ((gone, "not measured now"), (added, "not measured then")):
        if names:
            console.print(f"{what}: {', '.join(names)}", markup=False)
