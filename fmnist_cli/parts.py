"""A folder of Parquet parts: part K has the rows of the K-th slice of the listing.

Whoever makes the rows of a part writes it, under a name that appears only when it is whole.
Beside the rows a part holds what it was made of: fingerprints of its inputs, and digests of the
options and of all names before its own. So what is missing, has changed or does not fit shows in
the folder itself, whoever filled it: one machine, or many that know nothing of each other.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from fmnist_cli.contract import Prediction, Row
from fmnist_cli.engines import Worker
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.files import new_file, writing
from fmnist_cli.inference.classifier import AUTO, KnownItem
from fmnist_cli.journal import FINGERPRINT, Record, fingerprint, record_path
from fmnist_cli.progress import Counts
from fmnist_cli.run import Batch, Encode, Job
from fmnist_cli.sinks import Kind, Run, Sink
from fmnist_cli.sinks.parquet import load_pyarrow, read, read_note
from fmnist_cli.sources.items import Item
from fmnist_cli.sources.objects import RemoteItem, joined
from fmnist_cli.store import Store

INPUTS = 10_000  # of a part
_HELD = 64 << 20  # bytes of content that travels with them, at most
_RECORD = "_parts"  # readers of folders of Parquet pass over names that begin so

Make = Callable[[Iterable["Slice"]], Generator[Counts, None, None]]
Spread = Callable[[Make, Iterable["Slice"]], Generator[Counts, None, None]]
Map = Callable[[Worker[Batch], Iterable[Item]], Generator[Batch, None, None]]


class Slice(NamedTuple):
    """What a part is made of.

    Attributes:
        number: from 0.
        before: digest of the names of all inputs before these.
        last: whether there are none after them.
        items: the inputs.
    """

    number: int
    before: str
    last: bool
    items: list[Item]


def slices(items: Iterable[Item]) -> Iterator[Slice]:
    """The listing in slices of `INPUTS`, or of fewer that carry much content; two in memory."""
    stream = iter(items)
    digest, ahead = "", _some(stream)
    for number in count():
        some, ahead = ahead, _some(stream)
        if not some:
            return
        yield Slice(number, digest, not ahead, some)
        digest = _digest(digest, *[item.path for item in some])


def _some(stream: Iterator[Item]) -> list[Item]:
    some: list[Item] = []
    held = 0
    for item in stream:
        some.append(item)
        held += 0 if type(item) is RemoteItem else item.held
        if len(some) == INPUTS or held >= _HELD:
            break
    return some


def _digest(*texts: str) -> str:
    joined = "\0".join(texts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=8).hexdigest()


class _Note(NamedTuple):
    """What a part says of itself, beside its rows.

    Attributes:
        options: digest of the options.
        before, last: as of its `Slice`.
        fingerprints: of its inputs, in base64.
    """

    options: str
    before: str
    last: bool
    fingerprints: str

    @classmethod
    def of(cls, path: Path) -> _Note:
        """That of a part.

        Raises:
            DataError: the file is damaged, or no part.
        """
        try:
            return cls(**json.loads(read_note(path)))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path} is no part of a run of fmnist; move it away") from error


def _name(number: int) -> str:
    return f"part-{number:06}.parquet"


def _numbers(folder: Store) -> set[int]:
    """The parts that are there."""
    found = (re.fullmatch(r"part-(\d{6,})\.parquet", name) for name in folder.names())
    return {int(match[1]) for match in found if match}


def _record(folder: Store) -> Record | None:
    name = record_path(Path(_RECORD)).name
    if name not in folder.names():
        return None
    with folder.reading(name) as path:
        return Record.read(path.with_name(_RECORD))


class Parts(NamedTuple):
    """What makes parts: a value that can be sent to other machines.

    Attributes:
        folder: where they are.
        options: digest of everything that decides what the rows are.
        classify: items → rows.
        run: `fmnist_cli.engines.ordered_map`, but for what is given here.
        sink: path and note → what writes a part.
        retry: whether rejected inputs are done again.
    """

    folder: Store
    options: str
    classify: Worker[list[Row]]
    run: Map
    sink: Callable[..., Sink]
    retry: bool

    def make(self, of: Iterable[Slice]) -> Generator[Counts, None, None]:
        """Make the parts of these slices; of one that is there, only the rows of other inputs.

        Yields:
            What was counted, as the rows come.

        Raises:
            FmnistError: a part cannot be written, or a model fails.
        """
        begun: deque[Slice] = deque()
        whole: list[Counts] = []  # of parts that stay as they are

        def items() -> Iterator[Item]:
            for one in of:
                known, counts = self._known(one)
                if counts is not None:
                    whole.append(counts)
                    continue
                begun.append(one)
                yield from known

        rows: list[Row] = []
        fingerprints = b""
        with closing(self.run(Encode(self.classify, (), signed=True), items())) as batches:
            for batch in batches:
                yield batch.counts
                rows += batch.rows
                fingerprints += batch.fingerprints
                while begun and len(rows) >= (size := len(begun[0].items)):
                    end = size * FINGERPRINT
                    self._write(begun.popleft(), rows[:size], fingerprints[:end])
                    del rows[:size]
                    fingerprints = fingerprints[end:]
                yield from whole
                whole.clear()
        yield from whole

    def _known(self, one: Slice) -> tuple[list[Item], Counts | None]:
        """The items, of which some may have their row; what to count if the part is done."""
        try:
            with self.folder.reading(_name(one.number)) as path:
                note = _Note.of(path)
                prints = b64decode(note.fingerprints)
                rows = list(read(path)) if note.options == self.options else []
        except (DataError, ValueError, TypeError):  # it is made anew
            return one.items, None
        made = {
            row.path: (row, prints[at * FINGERPRINT : (at + 1) * FINGERPRINT])
            for at, row in enumerate(rows)
            if isinstance(row, Prediction) or not self.retry
        }
        items: list[Item] = []
        for item in one.items:
            row, old = made.get(item.path, (None, b""))
            same = row is not None and old == fingerprint(item)
            items.append(KnownItem(item, row, old) if row is not None and same else item)
        if (
            all(type(item) is KnownItem for item in items)
            and [row.path for row in rows] == [item.path for item in items]
            and (note.before, note.last) == (one.before, one.last)
        ):
            return items, Counts.of(rows, len(rows))
        return items, None

    def _write(self, one: Slice, rows: Sequence[Row], fingerprints: bytes) -> None:
        coded = b64encode(fingerprints).decode()
        note = json.dumps(_Note(self.options, one.before, one.last, coded)._asdict())
        with self.folder.writing(_name(one.number)) as path, self.sink(path, note=note) as sink:
            sink.write(rows, ())


def begin(folder: Store, options: dict[str, Any]) -> str:
    """Make the folder, or see that it is one of parts made with the same options; their digest.

    Raises:
        UsageError: it is another folder, or the options differ.
        FmnistError: it cannot be written to.
        DataError: its record is damaged.
        MissingExtraError: pyarrow is not installed.
    """
    load_pyarrow()  # what is impossible is said before the work, not after hours
    folder.make()
    others = [name for name in folder.names() if not name.startswith((".", _RECORD))]
    # Afterwards: another machine may have begun in the meantime.
    record = _record(folder)
    if record is not None:
        record.check(options, "name a new folder")
    elif others:
        raise UsageError(
            f"{folder} holds {min(others)} and no parts of a run; name a new or empty folder"
        )
    else:
        text = json.dumps(Record(options).to_json(), indent=1) + "\n"
        with folder.writing(record_path(Path(_RECORD)).name) as path, writing(path):
            partial = path.with_name(f"{_RECORD}.{uuid4().hex}.partial")  # many may begin at once
            with new_file(partial) as file:
                file.write(text.encode())
            partial.replace(path)
    return _digest(json.dumps(options, sort_keys=True))


def fill(
    job: Job,
    parts: Parts,
    share: tuple[int, int],
    spread: Spread = lambda make, of: make(of),
    advance: Callable[[int], object] = lambda _count: None,
) -> int:
    """Make the parts of a share, (I, N): every N-th, from the I-th on; how many there are in all.

    Parts that there is nothing for any more are removed, unless there is nothing at all.

    Args:
        job: its source and tally, and how many may be rejected.
        parts: what makes them.
        share: the share.
        spread: where that is done; here and now if not given.
        advance: is told how many rows are done.

    Raises:
        FmnistError: as `Parts.make`, or too many inputs were rejected.
    """
    end = 0

    def mine() -> Iterator[Slice]:
        nonlocal end
        for one in slices(job.source):
            end = one.number + 1
            if one.number % share[1] == share[0] - 1:
                yield one

    with closing(spread(parts.make, mine())) as counted:
        for counts in counted:
            job.tally.add(counts)
            advance(counts.total)
            job.stop_at_too_many_errors()
    for number in _numbers(parts.folder) if end else ():
        if number >= end:
            parts.folder.remove(_name(number))
    return end


def merge(folder: Store, target: Path, kind: Kind) -> tuple[int, int]:
    """Make a file of all parts, in order; the numbers of parts and of rows.

    Args:
        folder: of a run that is finished.
        target: the file.
        kind: what kind of file.

    Raises:
        DataError: parts are missing, damaged, or not of one listing; nothing is written then.
        UsageError: it is no folder of parts, or the file cannot be made of rows alone.
    """
    record = _record(folder)
    if record is None:
        raise UsageError(f"{folder} is no folder of parts; fmnist classify … -o FOLDER/ makes them")
    if folder.holds(str(target)):
        raise UsageError(f"{target} would lie among the parts; name a file elsewhere")
    asked = record.options
    try:
        run = Run(int(asked["top_k"]), asked["model"] == AUTO, bool(asked["embeddings"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the record in {folder} is damaged ({error!r})") from error
    sink = kind.sink(target, run)
    there = _numbers(folder)
    end = max(there, default=-1) + 1
    missing = [_name(number) for number in range(end) if number not in there]
    if not end or not _is_last(folder, end - 1):
        missing.append(f"all from {_name(end)} on")
    if missing:
        named = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise DataError(
            f"{folder} has {len(there):,} parts and is not complete; missing: {named}. Run the"
            " command that fills it once more: it makes what is missing"
        )
    options, digest, rows = _digest(json.dumps(record.options, sort_keys=True)), "", 0
    with sink:
        for number in range(end):
            with folder.reading(_name(number)) as path:
                note, some = _Note.of(path), list(read(path))
            if (note.options, note.before) != (options, digest):
                made = "with other options" if note.options != options else "of another listing"
                raise DataError(
                    f"{joined(str(folder), _name(number))} was made {made} than what is before:"
                    " inputs or options changed between runs. Run the command that fills the folder"
                    " once more, without --shard"
                )
            sink.write(some, ())
            digest = _digest(digest, *[row.path for row in some])
            rows += len(some)
    return end, rows


def _is_last(folder: Store, number: int) -> bool:
    with folder.reading(_name(number)) as path:
        return _Note.of(path).last
