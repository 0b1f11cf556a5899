"""Rows of an earlier, finished run into the same output that stand, and inputs to do again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from fmnist_cli.contract import Prediction, Row
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.inference.classifier import KnownItem
from fmnist_cli.journal import Record, fingerprint, fingerprints
from fmnist_cli.sinks.outputs import Plan
from fmnist_cli.sources.items import Item, Source, UnreadableItem

if TYPE_CHECKING:
    import sqlite3


@dataclass
class Changes:
    """What happened to the inputs since the earlier run; counted while they are gone through."""

    added: int = 0
    changed: int = 0
    gone: int = 0

    def __str__(self) -> str:
        """In words."""
        return f"{self.added:,} new, {self.changed:,} changed, {self.gone:,} gone"


class Update:
    """The items of a source, those that are as they were with their row.

    Both are gone through once, side by side, as both have the same order. Where they part, an
    index of names in a temporary file says whether an item is new or others are gone. Inputs in
    another order than before are right as well, but done again.

    Attributes:
        changes: what was found so far.
    """

    def __init__(self, plan: Plan, before: Record, items: Iterable[Item]) -> None:
        """Look at the inputs up to the first that is not as it was.

        Raises:
            UsageError: there is one, and the rows of such a run cannot be kept.
            DataError: no input is there any more, or the list of them is damaged.
        """
        self.changes = Changes()
        self._plan = plan
        self._before = before
        self._items = iter(items)
        self._same = 0
        self._first: Item | None = None
        for old in fingerprints(plan.target, before.inputs):
            self._first = next(self._items, None)
            if self._first is None or fingerprint(self._first) != old:
                break
            self._same += 1
        else:
            self._first = next(self._items, None)
        if self.needed:
            self._check()

    @property
    def needed(self) -> bool:
        """Whether anything is not as it was."""
        return self._first is not None or self._same < self._before.inputs

    def _check(self) -> None:
        target, options = self._plan.target, self._plan.options
        if self._plan.earlier is None:
            raise UsageError(
                f"inputs have changed since {target} was made, and its rows cannot be read back;"
                " JSON Lines, CSV and Parquet without --errors-only can. Run without --resume"
            )
        if options.get("sort_into") or options.get("save_prepared"):
            raise UsageError(
                f"inputs have changed since {target} was made, but what --sort-into and"
                " --save-prepared made of them would stay; run without --resume, into new folders"
            )
        if self._first is None and not self._same:
            raise DataError(
                f"none of the {self._before.inputs:,} inputs of {target} is there any more. If that"
                " is right, remove it"
            )

    def __iter__(self) -> Iterator[Item]:
        rows = _rows(self._plan, self._before)
        for row, old in islice(rows, self._same):
            yield KnownItem(UnreadableItem(row.path, ""), row, old)
        first = [] if self._first is None else [self._first]
        changes, place = self.changes, self._same
        head = next(rows, None)
        with closing(_Places(self._plan, place)) as places:
            for item in chain(first, self._items):
                if head is None or head[0].path != item.path:
                    found = None if head is None and not places.made else places.of(item.path)
                    if found is None:
                        changes.added += 1
                        yield item
                        continue
                    if found < place:  # its row was passed over
                        changes.gone -= 1
                        changes.changed += 1
                        yield item
                        continue
                    changes.gone += found - place
                    head, place = next(islice(rows, found - place - 1, None)), found
                row, old = head
                if fingerprint(item) == old:
                    yield KnownItem(item, row, old)
                else:
                    changes.changed += 1
                    yield item
                head, place = next(rows, None), place + 1
        changes.gone += self._before.inputs - place


def _rows(plan: Plan, before: Record) -> Iterator[tuple[Row, bytes]]:
    """The rows of the earlier run, each with the fingerprint of its input.

    Raises:
        DataError: they are not as many as there were.
    """
    if plan.earlier is None:
        raise UsageError(f"{plan.target} has no rows that can be read back")
    prints = fingerprints(plan.target, before.inputs)
    try:
        yield from zip(plan.earlier(plan.target), prints, strict=True)
    except ValueError as error:
        raise DataError(
            f"{plan.target} was changed since it was made: it has not {before.inputs:,} rows;"
            " run without --resume and --retry-failed"
        ) from error


class _Places:
    """Where the names of the earlier run's inputs stand, from some place on; made when asked."""

    def __init__(self, plan: Plan, start: int) -> None:
        self._plan = plan
        self._start = start
        self._table: sqlite3.Connection | None = None

    @property
    def made(self) -> bool:
        """Whether anybody has asked."""
        return self._table is not None

    def of(self, path: str) -> int | None:
        """The last place of a name; None if it is new."""
        if self._table is None:
            self._table = self._made()
        asked = "SELECT place FROM places WHERE name = ?"
        found = self._table.execute(asked, [_name(path)]).fetchone()
        return None if found is None else int(found[0])

    def _made(self) -> sqlite3.Connection:
        import sqlite3

        table = sqlite3.connect("")  # a temporary file, for what its cache does not hold
        table.execute("CREATE TABLE places (name BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID")
        if self._plan.earlier is not None:
            rows = islice(self._plan.earlier(self._plan.target), self._start, None)
            named = ((_name(row.path), place) for place, row in enumerate(rows, self._start))
            table.executemany("INSERT OR REPLACE INTO places VALUES (?, ?)", named)
        return table

    def close(self) -> None:
        """Remove the file."""
        if self._table is not None:
            self._table.close()


def _name(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")


class Retry:
    """The items of a source, but for the rejected ones with the rows of an earlier run."""

    def __init__(self, plan: Plan, before: Record, source: Source) -> None:
        self._plan = plan
        self._before = before
        self._source = source

    def __iter__(self) -> Iterator[Item]:
        items = iter(self._source)
        for number, (row, old) in enumerate(_rows(self._plan, self._before), start=1):
            item = next(items, None)
            if item is None or item.path != row.path:
                found = "nothing" if item is None else repr(item.path)
                raise DataError(
                    f"the inputs are not those of {self._plan.target}: row {number:,} is"
                    f" {row.path!r}, but there is {found} now. Run without --retry-failed"
                )
            yield KnownItem(item, row, old) if isinstance(row, Prediction) else item
        if (item := next(items, None)) is not None:
            raise DataError(
                f"there are inputs that {self._plan.target} has no row for, the first being"
                f" {item.path!r}. Run without --retry-failed"
            )


def check_retry(plan: Plan, record: Record) -> None:
    """Whether the rejected inputs of a run can be done again.

    Raises:
        UsageError: they cannot, with the reason.
    """
    if plan.earlier is None:
        raise UsageError(
            f"--retry-failed cannot read the rows of {plan.target} back; it can for JSON Lines,"
            " CSV and Parquet without --errors-only"
        )
    if plan.options.get("sort_into") and plan.options.get("how") == "move":
        raise UsageError("--retry-failed does not go with --move: the other inputs are gone")
    if not (record.finished or record.retry) or (record.finished and plan.journal.exists()):
        raise UsageError(f"the run into {plan.target} is not finished; first go on with --resume")
