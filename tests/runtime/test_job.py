"""Whole runs in one process: journals, resuming, retrying, several outputs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fmnist_cli.contract import Candidate, Prediction, Rejected, Row
from fmnist_cli.errors import DataError, FmnistError, UsageError
from fmnist_cli.inference.classifier import KnownItem
from fmnist_cli.journal import Journal, Record, record_path
from fmnist_cli.progress import Tally
from fmnist_cli.run import Job
from fmnist_cli.sinks import open_line_format
from fmnist_cli.sinks.base import LineSink
from fmnist_cli.sinks.outputs import Plan
from fmnist_cli.sources.items import HeldItem, Item

JSONL = open_line_format("jsonl", 1)
CSV = open_line_format("csv", 1)


@dataclass
class Shelf:
    """A source of held items, whose content decides their row."""

    contents: dict[str, bytes]
    skipped: int = 0

    def __iter__(self) -> Iterator[Item]:
        for path, content in self.contents.items():
            yield HeldItem(path, content, str(hash(content)))


@dataclass
class Reader:
    """Rows by content, and what was asked for; stops where it is told to."""

    stop_at: str | None = None
    seen: list[str] = field(default_factory=list)

    def __call__(self, items: Sequence[Item]) -> list[Row]:
        rows: list[Row] = []
        for item in items:
            if item.path == self.stop_at:
                raise KeyboardInterrupt
            self.seen.append(item.path)
            if item.read() == b"bad":
                rows.append(Rejected(item.path, "bad"))
            else:
                top = (Candidate("Bag", 0.5),)
                rows.append(Prediction(item.path, 8, "Bag", 0.5, top, "frame"))
        return rows


class KeepsKnown(NamedTuple):
    """A worker that gives known rows back, as the classifier does."""

    reader: Reader

    def __call__(self, items: Sequence[Item]) -> list[Row]:
        return [i.row if isinstance(i, KnownItem) else self.reader([i])[0] for i in items]

    def warm(self) -> None:
        pass

    def lost(self, item: Item, reason: str) -> list[Row]:
        return [Rejected(item.path, reason)]


def shelf(count: int = 40, bad: Sequence[int] = (3, 30)) -> Shelf:
    return Shelf({f"{i:03}.png": b"bad" if i in bad else b"good %d" % i for i in range(count)})


def job(
    source: Shelf, reader: Reader, target: Path, options: dict[str, Any] | None = None, **more: Any
) -> Job:
    plan = Plan(target, JSONL, (), options or {"model": "cnn"}, JSONL.read)
    settings = {"plan": plan, "batch_size": 4, "workers": 1, **more}
    return Job(source=source, classify=KeepsKnown(reader), tally=Tally(["Bag"]), **settings)


def interrupted(target: Path, at: str = "021.png", **options: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        job(shelf(), Reader(stop_at=at), target, **options).run()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """The output of an uninterrupted run."""
    path = tmp_path / "whole.jsonl"
    job(shelf(), Reader(), path).run()
    return path.read_bytes()


def test_an_interrupted_run_leaves_no_output_and_goes_on(target: Path, whole: bytes) -> None:
    interrupted(target)
    assert not target.exists()
    reader = Reader()
    resumed = job(shelf(), reader, target)
    assert resumed.run(resume=True)
    assert target.read_bytes() == whole
    assert reader.seen[0] > "000.png"  # it did not start over
    assert (resumed.tally.total, resumed.tally.rejected) == (40, 2)
    assert not list(target.parent.glob("*.partial"))


def test_rows_after_the_last_checkpoint_are_cut_off(target: Path, whole: bytes) -> None:
    interrupted(target)
    partial = target.with_name("rows.jsonl.partial")
    with partial.open("ab") as stream:
        stream.write(b'{"path": "021.png", "stat')
    job(shelf(), Reader(), target).run(resume=True)
    assert target.read_bytes() == whole


def test_without_resume_a_run_starts_over(target: Path, whole: bytes) -> None:
    interrupted(target)
    reader = Reader()
    job(shelf(), reader, target).run()
    assert target.read_bytes() == whole
    assert len(reader.seen) == 40


def test_resuming_what_never_began_is_a_run(target: Path, whole: bytes) -> None:
    assert job(shelf(), Reader(), target).run(resume=True)
    assert target.read_bytes() == whole


def test_resuming_what_is_finished_does_nothing(target: Path, whole: bytes) -> None:
    job(shelf(), Reader(), target).run()
    reader = Reader()
    again = job(shelf(), reader, target)
    assert not again.run(resume=True)
    assert reader.seen == []
    assert (again.tally.total, again.tally.rejected) == (40, 2)
    assert target.read_bytes() == whole


def test_an_output_without_record_is_not_taken_for_ours(target: Path) -> None:
    target.write_text("precious")
    with pytest.raises(UsageError, match="no record of how it was made"):
        job(shelf(), Reader(), target).run(resume=True)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("finished", [False, True])
def test_other_options_are_refused_by_name(target: Path, finished: bool) -> None:
    if finished:
        job(shelf(), Reader(), target).run()
    else:
        interrupted(target)
    with pytest.raises(UsageError, match="another model: 'cnn', now 'mlp'"):
        job(shelf(), Reader(), target, {"model": "mlp"}).run(resume=True)


def altered(change: str) -> Shelf:
    source = shelf()
    match change:
        case "changed":
            source.contents["005.png"] = b"other"
        case "removed":
            del source.contents["005.png"]
        case "added":
            source.contents = {"000a.png": b"new", **source.contents}
        case "renamed":
            source.contents = {
                ("005b.png" if path == "005.png" else path): content
                for path, content in source.contents.items()
            }
    return source


@pytest.mark.parametrize("change", ["changed", "removed", "added", "renamed"])
def test_changed_inputs_are_refused(target: Path, change: str) -> None:
    interrupted(target)
    with pytest.raises(UsageError, match="one was added, removed, renamed or changed"):
        job(altered(change), Reader(), target).run(resume=True)


def test_inputs_that_are_gone_are_refused(target: Path) -> None:
    interrupted(target)
    with pytest.raises(UsageError, match="now there are 5"):
        job(shelf(5), Reader(), target).run(resume=True)


@pytest.mark.parametrize("damage", ["shorter", "other"])
def test_a_damaged_journal_is_refused(target: Path, damage: str) -> None:
    interrupted(target)
    partial = target.with_name("rows.jsonl.partial")
    content = partial.read_bytes()
    partial.write_bytes(content[:-50] if damage == "shorter" else b"x" + content[1:])
    with pytest.raises(DataError, match="changed or damaged"):
        job(shelf(), Reader(), target).run(resume=True)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "nonsense"])
def test_a_damaged_record_is_refused(target: Path, text: str) -> None:
    interrupted(target)
    record_path(target).write_text(text)
    with pytest.raises(DataError, match="is damaged"):
        job(shelf(), Reader(), target).run(resume=True)


def test_two_runs_cannot_write_the_same_rows(target: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    path = target.with_name("rows.jsonl.partial")
    journal = Journal.begin(target, path, Record({}), b"")
    script = f"""
from pathlib import Path
from fmnist_cli.errors import UsageError
from fmnist_cli.journal import Journal, Record
try:
    Journal.begin(Path({str(target)!r}), Path({str(path)!r}), Record({{}}), b"")
except UsageError as error:
    print(error)
"""
    journal.write(b"kept", 1, b"")
    journal.checkpoint({})
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "another fmnist is writing" in done.stdout
    assert path.read_bytes() == b"kept"
    with journal:
        journal.discard()


def test_too_many_errors_stop_a_run_that_can_go_on(target: Path, whole: bytes) -> None:
    with pytest.raises(FmnistError, match=r"2 of \d+ inputs rejected.*030.png: bad.*--resume"):
        job(shelf(), Reader(), target, max_errors=1).run()
    assert not target.exists()
    job(shelf(), Reader(), target, max_errors=2).run(resume=True)
    assert target.read_bytes() == whole


def test_failed_inputs_are_done_again_and_no_others(target: Path) -> None:
    job(shelf(), Reader(), target).run()
    mended = shelf(bad=[3])  # 030.png can be read now
    reader = Reader()
    retried = job(mended, reader, target)
    assert retried.run(retry=True)
    assert reader.seen == ["003.png", "030.png"]
    assert retried.tally.rejected == 1
    fresh = target.with_name("fresh.jsonl")
    job(mended, Reader(), fresh).run()
    assert target.read_bytes() == fresh.read_bytes()


def test_an_interrupted_retry_keeps_the_old_output_and_goes_on(target: Path) -> None:
    job(shelf(), Reader(), target).run()
    before = target.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        job(shelf(bad=[]), Reader(stop_at="030.png"), target).run(retry=True)
    assert target.read_bytes() == before
    reader = Reader()
    job(shelf(bad=[]), reader, target).run(resume=True)
    assert reader.seen[-1] == "030.png"
    fresh = target.with_name("fresh.jsonl")
    job(shelf(bad=[]), Reader(), fresh).run()
    assert target.read_bytes() == fresh.read_bytes()


@pytest.mark.parametrize("change", ["removed", "added", "renamed"])
def test_a_retry_over_other_inputs_is_refused_and_changes_nothing(
    target: Path, change: str
) -> None:
    job(shelf(), Reader(), target).run()
    before = {path: path.read_bytes() for path in target.parent.iterdir()}
    for _ in range(2):
        with pytest.raises(DataError, match="Run without --retry-failed"):
            job(altered(change), Reader(), target).run(retry=True)
        assert {path: path.read_bytes() for path in target.parent.iterdir()} == before
    assert not job(shelf(), Reader(), target).run(resume=True)


def test_a_retry_of_what_cannot_be_read_back_is_refused(target: Path) -> None:
    plan = Plan(target, open_line_format("text", 1), (), {})
    job(shelf(), Reader(), target, plan=plan).run()
    with pytest.raises(UsageError, match="cannot read the rows"):
        job(shelf(), Reader(), target, plan=plan).run(retry=True)
    assert not job(shelf(), Reader(), target, plan=plan).run(resume=True)


def test_a_retry_goes_not_with_moving(target: Path) -> None:
    plan = Plan(target, JSONL, (), {"sort_into": "x", "how": "move"}, JSONL.read)
    job(shelf(), Reader(), target, plan=plan).run()
    with pytest.raises(UsageError, match="does not go with --move"):
        job(shelf(), Reader(), target, plan=plan).run(retry=True)


def test_a_file_that_is_not_ours_is_not_replaced(target: Path) -> None:
    partial = target.with_name("rows.jsonl.partial")
    partial.write_text("precious")
    with pytest.raises(UsageError, match="is there and not of ours"):
        job(shelf(), Reader(), target).run()
    assert partial.read_text() == "precious"


def test_an_output_that_is_gone_is_named(target: Path) -> None:
    other = target.with_suffix(".csv")
    stages = [lambda: [LineSink(target, JSONL), LineSink(other, CSV)]]
    plan = Plan(target, JSONL, stages, {}, JSONL.read, (target, other))
    job(shelf(), Reader(), target, plan=plan).run()
    assert not job(shelf(), Reader(), target, plan=plan).run(resume=True)
    other.unlink()
    with pytest.raises(UsageError, match=r"rows\.csv of the finished run is gone"):
        job(shelf(), Reader(), target, plan=plan).run(resume=True)


class Showing(LineSink):
    """A sink that wants items, and fails to show some."""

    wants_items = True

    def __init__(self, path: Path, refused: Sequence[str] = ()) -> None:
        super().__init__(path, JSONL)
        self.refused = refused
        self.failed = 0
        self.shown: list[tuple[str, str]] = []

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        super().write(rows, items)
        for row, item in zip(rows, items, strict=True):
            self.failed += row.path in self.refused
            self.shown.append((row.path, item.signature()))


@pytest.mark.parametrize("change", ["added", "removed"])
def test_every_row_finds_its_item_although_others_came_or_went(target: Path, change: str) -> None:
    source = shelf()
    expected = [(item.path, item.signature()) for item in source]
    sink = Showing(target)

    def stage() -> list[Any]:
        source.contents = altered(change).contents  # after all rows are there
        return [sink]

    job(source, Reader(), target, plan=Plan(target, JSONL, [stage], {})).run()
    if change == "removed":
        expected[5] = ("005.png", "it is no longer there")
    assert sink.shown == expected


def test_what_a_sink_could_not_do_is_tried_again(target: Path) -> None:
    sinks = [Showing(target, ["007.png"]), Showing(target)]
    plan = Plan(target, JSONL, [lambda: [sinks.pop(0)]], {})
    assert job(shelf(), Reader(), target, plan=plan).run()
    reader = Reader()
    assert job(shelf(), reader, target, plan=plan).run(resume=True)
    assert (reader.seen, sinks) == ([], [])
    assert not job(shelf(), reader, target, plan=plan).run(resume=True)


def test_a_retry_needs_a_finished_run(target: Path) -> None:
    with pytest.raises(UsageError, match=r"needs .*rows\.jsonl\.run\.json"):
        job(shelf(), Reader(), target).run(retry=True)
    interrupted(target)
    with pytest.raises(UsageError, match="not finished; first go on with --resume"):
        job(shelf(), Reader(), target).run(retry=True)


class Broken(LineSink):
    """A sink that fails the first time."""

    fails = True

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        super().write(rows, items)
        if Broken.fails:
            raise KeyboardInterrupt


def several(target: Path, make: Callable[[Path], LineSink]) -> Plan:
    other = target.with_suffix(".csv")
    return Plan(
        target,
        JSONL,
        [lambda: [LineSink(target, JSONL)], lambda: [make(other)]],
        {"model": "cnn"},
        JSONL.read,
    )


def test_several_outputs_and_an_interruption_while_they_are_made(
    target: Path, whole: bytes
) -> None:
    Broken.fails = True
    plan = several(target, lambda path: Broken(path, CSV))
    with pytest.raises(KeyboardInterrupt):
        job(shelf(), Reader(), target, plan=plan).run()
    assert target.read_bytes() == whole
    assert not target.with_suffix(".csv").exists()
    target.write_text("not made twice")
    Broken.fails = False
    reader = Reader()
    job(shelf(), reader, target, plan=plan).run(resume=True)
    assert reader.seen == []  # the rows were there already
    assert target.read_text() == "not made twice"
    target.write_bytes(whole)
    assert target.read_bytes() == whole
    assert list(CSV.read(target.with_suffix(".csv"))) == list(JSONL.read(target))
    assert sorted(path.name for path in target.parent.iterdir()) == [
        "rows.csv",
        "rows.jsonl",
        "rows.jsonl.run.inputs",
        "rows.jsonl.run.json",
        "whole.jsonl",
        "whole.jsonl.run.inputs",
        "whole.jsonl.run.json",
    ]


def test_a_stream_and_a_file_get_the_same_rows(target: Path) -> None:
    stream = io.BytesIO()
    job(shelf(), Reader(), target, stream=(stream, JSONL)).run()
    assert stream.getvalue() == target.read_bytes()


def test_errors_only_writes_the_rejected_and_counts_all(target: Path) -> None:
    run = job(shelf(), Reader(), target, errors_only=True)
    run.run()
    assert [row.path for row in JSONL.read(target)] == ["003.png", "030.png"]
    assert run.tally.total == 40


def test_no_inputs_leave_no_files(target: Path) -> None:
    run = job(shelf(0), Reader(), target)
    run.run()
    assert run.tally.total == 0
    assert list(target.parent.iterdir()) == []


def test_the_record_tells_how_the_rows_were_made(target: Path) -> None:
    job(shelf(), Reader(), target).run()
    record = json.loads(record_path(target).read_text())
    assert record["options"] == {"model": "cnn"}
    assert (record["finished"], record["inputs"]) == (True, 40)
    assert record["counts"]["labels"] == {"Bag": 38}
