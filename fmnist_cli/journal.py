"""Rows kept on disk while a run goes on, so that it can be killed at any instant and resumed.

Beside the output ``OUT`` stand ``OUT.partial`` (or ``OUT.rows.partial``), the rows so far,
``OUT.run.json``, the record: what was asked for, and up to which input and byte the rows are
known to be good, and ``OUT.run.inputs.partial``, a fingerprint of each input so far. A resumed run
cuts the rows there and goes on from that input. Record and fingerprints (then ``OUT.run.inputs``)
stay when the run is finished: they say how the output was made, and of what.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from fmnist_cli.errors import DataError, FmnistError, UsageError
from fmnist_cli.files import open_own, read_json, write_text
from fmnist_cli.inference.classifier import KnownItem
from fmnist_cli.sources.items import Item

CHECKPOINT_SECONDS = 0.25  # at most this much work is done twice
FINGERPRINT = 8  # bytes of each input, kept to see what has changed


def fingerprint(item: Item) -> bytes:
    """`FINGERPRINT` bytes that change when the name or the content of an input does.

    They are of its name and its signature, of a known item as they were when its row was made.
    """
    if type(item) is KnownItem:
        return item.fingerprint
    line = f"{item.path}\0{item.signature()}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(line, digest_size=FINGERPRINT).digest()


@dataclass(eq=False, repr=False)
class Record:
    """What ``OUT.run.json`` holds.

    Attributes:
        options: everything that decides what the rows are.
        retry: whether this run does the rejected inputs of an earlier one again.
        before: the record of that earlier run.
        finished: whether all rows are in the journal.
        stages: how many groups of outputs have been made from the journal.
        inputs: number of inputs whose rows are in the journal.
        size: bytes of the journal.
        checksum: CRC-32 of these bytes.
        counts: what was counted so far; see `fmnist_cli.progress.Tally.counts`.
    """

    options: dict[str, Any]
    retry: bool = False
    before: dict[str, Any] | None = None
    finished: bool = False
    stages: int = 0
    inputs: int = 0
    size: int = 0
    checksum: int = 0
    counts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, target: Path) -> Record | None:
        """The record beside an output; None where there is none.

        Raises:
            DataError: it is damaged.
        """
        path = record_path(target)
        try:
            record = cls._of(read_json(path))
            if record.before is not None:
                cls._of(record.before)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is damaged ({error!r}); run without --resume") from error
        return record

    @classmethod
    def _of(cls, values: Any) -> Record:
        """The inverse of `to_json`; what it raises see `_check_kinds`."""
        record = cls(**{name.name: values[name.name] for name in fields(cls)})
        record._check_kinds()
        return record

    def _check_kinds(self) -> None:
        """Raises TypeError, ValueError, KeyError, AttributeError: it is none that was written."""
        kinds = {name: type(value) for name, value in vars(Record({})).items()}
        kinds["before"] = kinds["before"] if self.before is None else dict
        counts = self.counts and [self.counts["total"], self.counts["rejected"]]
        for group in ("labels", "prepared") if self.counts else ():
            counts += self.counts[group].values()
        numbers = [self.stages, self.inputs, self.size, self.checksum, *counts]
        for name, kind in kinds.items():
            if type(getattr(self, name)) is not kind:
                raise TypeError(f"{name} is {getattr(self, name)!r}")
        if not all(type(number) is int and 0 <= number < 1 << 62 for number in numbers):
            raise ValueError("a number is none")
        for path, reason in self.counts.get("examples", ()):
            if not isinstance(path, str) or not isinstance(reason, str):
                raise TypeError("an example is no text")

    def to_json(self) -> dict[str, Any]:
        """As values of JSON; the inverse of `read`."""
        return asdict(self)

    def check(
        self,
        options: dict[str, Any],
        cure: str = "start over without --resume and --retry-failed",
    ) -> None:
        """Refuse to go on with other options; `cure` says what else can be done.

        Raises:
            UsageError: names what differs.
        """
        wanted = json.loads(json.dumps(options))
        for name in {**self.options, **wanted}:
            before, now = self.options.get(name), wanted.get(name)
            if before != now:
                raise UsageError(
                    f"the rows so far were made with another {name}: {before!r}, now {now!r}."
                    f" Use the same command, or {cure}"
                )


def record_path(target: Path) -> Path:
    """The record of an output."""
    return target.with_name(f"{target.name}.run.json")


def inputs_path(target: Path) -> Path:
    """The fingerprints of the inputs of an output."""
    return target.with_name(f"{target.name}.run.inputs")


def fingerprints(target: Path, count: int) -> Iterator[bytes]:
    """Those of the `count` inputs of a finished run, in their order.

    Raises:
        DataError: they are not there, or not so many.
    """
    path = inputs_path(target)
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != count * FINGERPRINT:
                raise OSError("it has another length")
            yield from iter(partial(file.read, FINGERPRINT), b"")
    except OSError as error:
        raise DataError(
            f"{path}, which says what {target} was made of, cannot be used"
            f" ({error.strerror or error}); run without --resume and --retry-failed"
        ) from error


class Journal:
    """The rows so far, their record and fingerprints. Made by `begin` or `resume`."""

    def __init__(
        self, target: Path, path: Path, record: Record, stream: BinaryIO, inputs: BinaryIO | None
    ) -> None:
        self.target = target
        self.path = path
        self.record = record
        self._stream = stream
        self._inputs = inputs  # None when all are there
        self._next = 0.0
        try:
            _lock(stream, target)
        except UsageError:
            self.close()
            raise

    @classmethod
    def begin(cls, target: Path, path: Path, record: Record, header: bytes) -> Journal:
        """Start anew.

        Raises:
            UsageError: the file cannot be created, or another run is writing it.
        """
        stream = _begun(path, target)
        try:
            inputs = _begun(_partial_inputs(target), target)
        except UsageError:
            stream.close()
            raise
        journal = cls(target, path, record, stream, inputs)
        journal._save()  # before the rows that an older record may speak of are gone
        stream.truncate(0)
        inputs.truncate(0)
        journal.write(header, 0, b"")
        journal._next = time.monotonic() + CHECKPOINT_SECONDS
        return journal

    @classmethod
    def resume(cls, target: Path, path: Path, record: Record) -> Journal:
        """Go on from the last checkpoint; rows after it are cut off.

        Raises:
            UsageError: another run is writing it.
            DataError: the rows are not those of the record.
        """
        try:
            stream = open_own(path, append=False)
            inputs = None if record.finished else open_own(_partial_inputs(target), append=False)
        except OSError as error:
            raise DataError(
                f"cannot go on with {path}: {error.strerror or error}; run without --resume"
            ) from error
        journal = cls(target, path, record, stream, inputs)
        try:
            journal._cut()
        except DataError:
            journal.close()
            raise
        return journal

    def _cut(self) -> None:
        """Check the rows up to the checkpoint and cut off what comes after it."""
        record, stream = self.record, self._stream
        checksum, left = 0, record.size
        while left and (block := stream.read(min(left, 1 << 20))):
            checksum = zlib.crc32(block, checksum)
            left -= len(block)
        if self._inputs:
            left += max(record.inputs * FINGERPRINT - os.fstat(self._inputs.fileno()).st_size, 0)
        if left or checksum != record.checksum:
            raise DataError(
                f"{self.path} was changed or damaged since the run was interrupted;"
                " run without --resume"
            )
        stream.seek(record.size)
        stream.truncate()
        if self._inputs:
            self._inputs.truncate(record.inputs * FINGERPRINT)

    def skip(self, items: Iterable[Item]) -> Iterator[Item]:
        """`items` without those whose rows are there, after checking that they are the same.

        Raises:
            UsageError: they are not.
        """
        remaining, count = iter(items), self.record.inputs
        for number in range(count):
            item = next(remaining, None)
            old = self._inputs.read(FINGERPRINT) if self._inputs else b""
            if item is not None and fingerprint(item) == old:
                continue
            detail = (
                f"there were at least {count:,}, now there are {number:,}"
                if item is None
                else f"one was added, removed, renamed or changed, {item.path!r} or one before it"
            )
            raise UsageError(
                f"the inputs are not those of the interrupted run: {detail}."
                " Start over without --resume"
            )
        return remaining

    def write(self, rows: bytes, count: int, fingerprints: bytes) -> None:
        """Append the rows of `count` inputs, whose fingerprints are these."""
        with self._writing():
            self._stream.write(rows)
            if self._inputs:
                self._inputs.write(fingerprints)
        record = self.record
        record.inputs += count
        record.size += len(rows)
        record.checksum = zlib.crc32(rows, record.checksum)

    def checkpoint_due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() >= self._next

    def checkpoint(self, counts: dict[str, Any]) -> None:
        """Make the rows so far good for resuming."""
        self.record.counts = counts
        with self._writing():
            self._stream.flush()
            if self._inputs:
                self._inputs.flush()
            self._save()
        self._next = time.monotonic() + CHECKPOINT_SECONDS

    def finish(self, counts: dict[str, Any]) -> None:
        """All rows are there: put them on the disk and say so."""
        with self._writing():
            for stream in filter(None, (self._stream, self._inputs)):
                stream.flush()
                os.fsync(stream.fileno())
        self.record.finished = True
        self.checkpoint(counts)

    def give_up(self) -> bool:
        """Leave the outcome of the earlier run as it was; whether there was one."""
        before = self.record.before
        if before is None:
            return False
        self._drop()
        write_text(record_path(self.target), json.dumps(before, indent=1) + "\n")
        return True

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FmnistError(
                f"cannot write {self.path}: {error.strerror or error};"
                " when that is mended, go on with --resume"
            ) from error

    def publish(self) -> None:
        """Give the journal the name of the output."""
        self._stream.close()  # Windows renames and removes no open file
        self._keep_inputs()
        self.path.replace(self.target)

    def remove(self) -> None:
        """Remove the rows, when they are in other outputs."""
        self.close()
        self._keep_inputs()
        self.path.unlink(missing_ok=True)

    def _keep_inputs(self) -> None:
        if self._inputs:
            self._inputs.close()
        with suppress(FileNotFoundError):  # it was done before a run was interrupted here
            _partial_inputs(self.target).replace(inputs_path(self.target))

    def discard(self) -> None:
        """Leave no trace of a run that has no inputs."""
        self._drop()
        for path in (record_path(self.target), inputs_path(self.target)):
            path.unlink(missing_ok=True)

    def _drop(self) -> None:
        self.close()
        for path in (self.path, _partial_inputs(self.target)):
            path.unlink(missing_ok=True)

    def __enter__(self) -> Journal:
        """Nothing more: it is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """As `close`."""
        self.close()

    def close(self) -> None:
        """Close the files, and so release their lock."""
        for stream in filter(None, (self._inputs, self._stream)):
            with suppress(OSError):  # of a full disk, which was told before
                stream.close()

    def _save(self) -> None:
        write_text(record_path(self.target), json.dumps(self.record.to_json(), indent=1) + "\n")


def _begun(path: Path, target: Path) -> BinaryIO:
    try:
        stream = open_own(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    if stream.tell() and not record_path(target).exists():
        stream.close()
        raise UsageError(f"{path} is there and not of ours; move it away, it would be replaced")
    return stream


def _partial_inputs(target: Path) -> Path:
    path = inputs_path(target)
    return path.with_name(f"{path.name}.partial")


def _lock(stream: BinaryIO, target: Path) -> None:
    """Keep a second run from writing the same rows; released when the process ends."""
    if sys.platform != "win32":
        import fcntl

        try:
            # Not flock, which worker processes would inherit and keep.
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"another fmnist is writing {target} right now") from None
