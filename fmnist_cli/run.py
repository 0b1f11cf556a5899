"""A whole run: source → workers → rows on a stream, in a journal, or both → outputs.

Rows are turned into text by the workers. A run into files keeps them in a journal; when all
are there, the journal is renamed to be the output, or read back to feed several outputs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from fmnist_cli.contract import Rejected, Row, printable
from fmnist_cli.engines import TIMEOUT, Worker, ordered_map
from fmnist_cli.errors import DataError, FmnistError, UsageError
from fmnist_cli.inference.classifier import KnownItem
from fmnist_cli.progress import Counts, Tally
from fmnist_cli.sinks.base import LineFormat, Sink
from fmnist_cli.sinks.outputs import Plan
from fmnist_cli.sources.items import Item, Source, UnreadableItem

if TYPE_CHECKING:
    from fmnist_cli.earlier import Changes
    from fmnist_cli.journal import Journal, Record

_FEED = 256  # rows given to sinks at a time
_LOOK_AHEAD = 50_000  # items that may have come between two rows since they were written


class Batch(NamedTuple):
    """What a worker gives back for a chunk: the rows as text, and what was counted.

    Attributes:
        counts: what was counted.
        texts: the rows in each of the formats that were asked for.
        fingerprints: of the items, if they were asked for.
        rows: the rows themselves, if no format was asked for.
    """

    counts: Counts
    texts: tuple[bytes, ...]
    fingerprints: bytes
    rows: Sequence[Row] = ()


class Encode(NamedTuple):
    """A worker: items → rows → text in each of `formats`.

    Attributes:
        classify: items → rows.
        formats: of the texts.
        errors_only: whether only the rows of rejected inputs are written.
        signed: whether the fingerprints of the items are wanted.
    """

    classify: Worker[list[Row]]
    formats: Sequence[LineFormat]
    errors_only: bool = False
    signed: bool = False

    def __call__(self, items: Sequence[Item]) -> Batch:
        """One batch for some items."""
        rows = self.classify(items)
        # Afterwards: files that were read know their signature.
        return self._batch(rows, items)

    def warm(self) -> object:
        """As of `classify`."""
        return self.classify.warm()

    def lost(self, item: Item, reason: str) -> Batch:
        """As of `classify`."""
        return self._batch(self.classify.lost(item, reason), [item])

    def _batch(self, rows: Sequence[Row], items: Sequence[Item]) -> Batch:
        fingerprints = b""
        if self.signed:
            from fmnist_cli.journal import fingerprint

            fingerprints = b"".join(map(fingerprint, items))
        counts = Counts.of(rows, sum(type(item) is KnownItem for item in items))
        if not self.formats:
            return Batch(counts, (), fingerprints, rows)
        written = [r for r in rows if type(r) is Rejected] if self.errors_only else rows
        return Batch(counts, tuple(f.lines(written).encode() for f in self.formats), fingerprints)


@dataclass(eq=False, repr=False, kw_only=True)
class Job:
    """A run, ready to start.

    Attributes:
        source: the inputs.
        classify: items → rows; a worker.
        tally: counts what passes.
        stream: where rows go as they come, and how they are written.
        plan: the outputs in files.
        errors_only: write the rows of rejected inputs only.
        max_errors: stop when more inputs than this are rejected.
        workers, batch_size, engine, many, timeout, early: see `fmnist_cli.engines.ordered_map`.
        changes: what was found when the inputs of a finished run were looked at again.
    """

    source: Source
    classify: Worker[list[Row]]
    tally: Tally
    stream: tuple[BinaryIO, LineFormat] | None = None
    plan: Plan | None = None
    errors_only: bool = False
    max_errors: int | None = None
    workers: int = 1
    batch_size: int | None = None
    engine: str = "threads"
    many: bool = False
    timeout: float = TIMEOUT
    early: bool = False
    changes: Changes | None = field(default=None, init=False)

    def run(
        self,
        *,
        resume: bool = False,
        retry: bool = False,
        advance: Callable[[int], object] = lambda _count: None,
    ) -> bool:
        """Do it; false when there was nothing left to do.

        Raises:
            FmnistError: too many inputs were rejected, or a process could not be kept alive.
            UsageError, DataError: it cannot be resumed or retried, with the reason.
        """
        if self.plan is None:
            self._rows(iter(self.source), None, advance)
            return True
        opened = _open_journal(self.plan, self.source, resume=resume, retry=retry)
        if opened is None:
            from fmnist_cli.journal import Record

            record = Record.read(self.plan.target)
            self.tally.restore(record.counts if record else {})
            return False
        journal, items, self.changes = opened
        with journal:
            self.tally.restore(journal.record.counts)
            advance(self.tally.total)
            if not journal.record.finished:
                try:
                    self._rows(items, journal, advance)
                except BaseException as error:
                    if not (isinstance(error, DataError) and journal.give_up()):
                        with suppress(FmnistError):  # it may be the disk that is full
                            journal.checkpoint(self.tally.counts())
                    raise
                if not self.tally.total:
                    journal.discard()
                    return True
                journal.record.retry, journal.record.before = False, None
                journal.finish(self.tally.counts())
            self._outputs(self.plan, journal)
        return True

    def _rows(
        self, items: Iterator[Item], journal: Journal | None, advance: Callable[[int], object]
    ) -> None:
        formats: list[LineFormat] = []
        if self.stream:
            formats.append(self.stream[1])
        if journal and self.plan:
            formats.append(self.plan.lines)
        batches = ordered_map(
            Encode(self.classify, formats, self.errors_only, signed=journal is not None),
            items,
            workers=self.workers,
            batch_size=self.batch_size,
            engine=self.engine,
            many=self.many,
            timeout=self.timeout,
            early=self.early,
        )
        header = self.stream[1].header().encode() if self.stream else b""
        with closing(batches):
            for batch in batches:
                if self.stream:
                    self._stream(header + batch.texts[0])
                    header = b""
                if journal:
                    journal.write(batch.texts[-1], batch.counts.total, batch.fingerprints)
                self.tally.add(batch.counts)
                if journal and journal.checkpoint_due():
                    journal.checkpoint(self.tally.counts())
                advance(batch.counts.total)
                self.stop_at_too_many_errors()
        if header:
            self._stream(header)

    def _stream(self, text: bytes) -> None:
        if self.stream is None:
            return
        if self.stream[0].isatty():  # where a name must not move the cursor
            text = "\n".join(map(printable, text.decode().split("\n"))).encode()
        try:
            self.stream[0].write(text)
            self.stream[0].flush()
        except BrokenPipeError:  # a reader that has seen enough
            raise
        except OSError as error:
            is_standard = self.stream[0] is sys.stdout.buffer
            name = "standard output" if is_standard else getattr(self.stream[0], "name", "it")
            raise FmnistError(f"cannot write to {name}: {error.strerror or error}") from error

    def stop_at_too_many_errors(self) -> None:
        """Raise FmnistError if more inputs were rejected than may be."""
        if self.max_errors is not None and self.tally.rejected > self.max_errors:
            row = self.tally.examples[-1]
            kept = "; go on with --resume and a larger limit" if self.plan else ""
            raise FmnistError(
                f"stopped: {self.tally.rejected:,} of {self.tally.total:,} inputs rejected,"
                f" more than --max-errors {self.max_errors:,}, such as"
                f" {row.path}: {row.error}{kept}"
            )

    def _outputs(self, plan: Plan, journal: Journal) -> None:
        if not plan.stages:
            journal.publish()
            return
        for stage in plan.stages[journal.record.stages :]:
            with ExitStack() as stack:
                sinks = [stack.enter_context(sink) for sink in stage()]
                self._feed(sinks, plan.lines.read(journal.path))
            if any(getattr(sink, "failed", 0) for sink in sinks):
                return  # the rows stay, for another try with --resume
            journal.record.stages += 1
            journal.checkpoint(self.tally.counts())
        journal.remove()

    def _feed(self, sinks: Sequence[Sink], rows: Iterator[Row]) -> None:
        if any(sink.wants_items for sink in sinks):
            pairs = _paired(rows, iter(self.source))
            while both := list(islice(pairs, _FEED)):
                for sink in sinks:
                    sink.write([row for row, _ in both], [item for _, item in both])
        else:
            while chunk := list(islice(rows, _FEED)):
                for sink in sinks:
                    sink.write(chunk, ())


class _Opened(NamedTuple):
    """A journal, the items still to do, and what has changed since an earlier run."""

    journal: Journal
    items: Iterator[Item]
    changes: Changes | None = None


def _open_journal(plan: Plan, source: Source, *, resume: bool, retry: bool) -> _Opened | None:
    """What is to be done; None when everything is."""
    # Runs without an output in a file have no need of it.
    from fmnist_cli.journal import Journal, Record, record_path

    def begin(items: Iterable[Item], record: Record) -> _Opened:
        header = plan.lines.header().encode()
        journal = Journal.begin(plan.target, plan.journal, record, header)
        return _Opened(journal, iter(items), getattr(items, "changes", None))

    def go_on(items: Iterable[Item], record: Record) -> _Opened:
        if not record.inputs:
            return begin(items, Record(plan.options, retry=record.retry, before=record.before))
        journal = Journal.resume(plan.target, plan.journal, record)
        try:
            return _Opened(journal, journal.skip(items), getattr(items, "changes", None))
        except BaseException:
            journal.close()
            raise

    record = Record.read(plan.target) if resume or retry else None
    if record is None:
        if retry:
            raise UsageError(
                f"--retry-failed needs {record_path(plan.target)}, which is kept beside an output"
            )
        if resume and plan.target.exists():
            raise UsageError(
                f"{plan.target} is there, but no record of how it was made"
                f" ({record_path(plan.target).name}); run without --resume to replace it"
            )
        return begin(source, Record(plan.options))
    from fmnist_cli.earlier import Retry, Update, check_retry

    record.check(plan.options)
    if retry:
        check_retry(plan, record)
    if record.finished and plan.journal.exists():  # interrupted while the outputs were made
        return _Opened(Journal.resume(plan.target, plan.journal, record), iter(()))
    if not record.finished and record.before is None:
        return go_on(source, record)
    if gone := [target for target in plan.targets if not target.exists()]:
        raise UsageError(
            f"{gone[0]} of the finished run is gone; run without --resume to make it again"
        )
    if not record.finished:  # an interrupted retry or update
        before = Record(**record.before or {})
        if record.retry:
            return go_on(Retry(plan, before, source), record)
        try:
            return go_on(Update(plan, before, source), record)
        except UsageError:  # the inputs have changed once more
            with Journal.resume(plan.target, plan.journal, record) as journal:
                journal.give_up()
            return _open_journal(plan, source, resume=resume, retry=retry)
    if retry:
        fresh = Record(plan.options, retry=True, before=record.to_json())
        return begin(Retry(plan, record, source), fresh)
    if plan.options.get("how") == "move":
        return None  # the inputs are where they were moved to
    update = Update(plan, record, source)
    if not update.needed:
        return None
    return begin(update, Record(plan.options, before=record.to_json()))


def _paired(rows: Iterable[Row], items: Iterator[Item]) -> Iterator[tuple[Row, Item]]:
    """Each row with its item, by name; both are in the same order.

    Some items may be gone, when a run that moves files was interrupted, and some may have
    come since; neither keeps the others from their rows.
    """
    ahead: dict[str, Item] = {}
    again: Item | None = None  # the second of a name, for a later row
    for row in rows:
        while row.path not in ahead and len(ahead) < _LOOK_AHEAD:
            item = again or next(items, None)
            again = None
            if item is None:
                break
            if item.path in ahead:
                again = item
                break
            ahead[item.path] = item
        if row.path not in ahead:
            yield row, UnreadableItem(row.path, "it is no longer there")
            continue
        while (path := next(iter(ahead))) != row.path:
            del ahead[path]  # it has no row
        yield row, ahead.pop(path)
