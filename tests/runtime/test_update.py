"""A finished run looks at its inputs again: only those that are new or changed are done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import encoded, frame
from process import RunFmnist
from test_job import JSONL, Reader, Shelf, job, shelf

from fmnist_cli.earlier import Changes
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.journal import inputs_path, record_path
from fmnist_cli.sinks.outputs import Plan


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def changed(*gone: int, new: Sequence[str] = (), other: Sequence[int] = ()) -> Shelf:
    """The forty of before without some, with some that are new and some that are others."""
    contents = {f"{number:03}.png": content for number, content in enumerate(before())}
    for number in gone:
        del contents[f"{number:03}.png"]
    contents |= dict.fromkeys(new, b"new")
    contents |= {f"{number:03}.png": b"other" for number in other}
    return Shelf(dict(sorted(contents.items())))


def before() -> list[bytes]:
    return list(shelf().contents.values())


def update(source: Shelf, target: Path, **more: Any) -> tuple[list[str], Changes | None]:
    """Which were done, and what was found."""
    reader = Reader()
    again = job(source, reader, target, **more)
    again.run(resume=True)
    return reader.seen, again.changes


def fresh(source: Shelf, target: Path) -> bytes:
    path = target.with_name("fresh.jsonl")
    job(source, Reader(), path).run()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("source", "done", "changes"),
    [
        (changed(new=["999.png"]), ["999.png"], Changes(added=1)),
        (changed(new=["000a.png", "020a.png"]), ["000a.png", "020a.png"], Changes(added=2)),
        (changed(other=[0, 39]), ["000.png", "039.png"], Changes(changed=2)),
        (changed(0, 1, 20, 39), [], Changes(gone=4)),
        (changed(1, new=["000a.png"], other=[2]), ["000a.png", "002.png"], Changes(1, 1, 1)),
        (changed(*range(39), new=["999.png"]), ["999.png"], Changes(added=1, gone=39)),
        (changed(*range(40), new=["999.png"]), ["999.png"], Changes(added=1, gone=40)),
    ],
)
def test_exactly_the_right_rows(
    source: Shelf, done: list[str], changes: Changes, target: Path
) -> None:
    job(shelf(), Reader(), target).run()
    assert update(source, target) == (done, changes)
    assert target.read_bytes() == fresh(source, target)
    assert update(source, target) == ([], None)  # nothing left to do
    assert sorted(path.suffix for path in target.parent.glob("rows.*")) == [
        ".inputs",
        ".json",
        ".jsonl",
    ]


names = st.lists(st.integers(0, 15).map(lambda number: f"{number:03}.png"), unique=True, min_size=1)


@given(old=names, new=names, ordered=st.booleans(), others=st.sets(st.integers(0, 15)))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_change_gives_the_rows_of_a_new_run(
    old: list[str], new: list[str], ordered: bool, others: set[int], target: Path
) -> None:
    if ordered:
        old, new = sorted(old), sorted(new)
    different = {f"{number:03}.png" for number in others}
    source = Shelf({path: b"other" if path in different else b"good" for path in new})
    job(Shelf(dict.fromkeys(old, b"good")), Reader(), target).run()
    done, changes = update(source, target)
    assert target.read_bytes() == fresh(source, target)
    if ordered:
        added, gone = set(new) - set(old), set(old) - set(new)
        altered = set(new) & set(old) & different
        assert set(done) == added | altered
        assert (changes or Changes()) == Changes(len(added), len(altered), len(gone))
    elif changes:
        assert changes.gone == len(set(old) - set(new))
        assert changes.added == len(set(new) - set(old))


def test_an_update_is_interrupted_and_goes_on(target: Path) -> None:
    job(shelf(), Reader(), target).run()
    old = target.read_bytes()
    source = changed(3, new=[f"0{number}a.png" for number in range(10, 30)])
    with pytest.raises(KeyboardInterrupt):
        job(source, Reader(stop_at="020a.png"), target).run(resume=True)
    assert target.read_bytes() == old
    done, changes = update(source, target)
    assert "010a.png" not in done
    assert changes == Changes(added=20, gone=1)
    assert target.read_bytes() == fresh(source, target)


@pytest.mark.parametrize("again", [changed(0, 5), shelf()], ids=["changed", "as it was"])
def test_inputs_that_change_during_an_interrupted_update(again: Shelf, target: Path) -> None:
    job(shelf(), Reader(), target).run()
    with pytest.raises(KeyboardInterrupt):
        job(changed(3, new=["999.png"]), Reader(stop_at="999.png"), target).run(resume=True)
    assert update(again, target)[0] == []
    assert target.read_bytes() == fresh(again, target)
    assert not list(target.parent.glob("*.partial"))


def test_the_rejected_are_done_again_after_an_update(target: Path) -> None:
    job(shelf(), Reader(), target).run()
    source = changed(0, new=["999.png"])
    update(source, target)
    reader = Reader()
    job(source, reader, target).run(retry=True)
    assert reader.seen == ["003.png", "030.png"]
    assert update(source, target) == ([], None)


def test_a_retry_does_not_hide_a_change(target: Path) -> None:
    job(shelf(), Reader(), target).run()
    job(changed(other=[7]), Reader(), target).run(retry=True)
    assert update(changed(other=[7]), target) == (["007.png"], Changes(changed=1))


def test_when_all_inputs_are_gone_nothing_is_touched(target: Path) -> None:
    job(shelf(), Reader(), target).run()
    files = {path: path.read_bytes() for path in target.parent.iterdir()}
    with pytest.raises(DataError, match="none of the 40 inputs"):
        update(Shelf({}), target)
    assert {path: path.read_bytes() for path in target.parent.iterdir()} == files


@pytest.mark.parametrize("change", ["row gone", "no list", "list cut off"])
def test_what_is_no_longer_as_it_was_made_is_refused(change: str, target: Path) -> None:
    job(shelf(), Reader(), target).run()
    if change == "row gone":
        target.write_bytes(b"".join(target.read_bytes().splitlines(keepends=True)[:-1]))
    elif change == "no list":
        inputs_path(target).unlink()
    else:
        os.truncate(inputs_path(target), 100)
    old, record = target.read_bytes(), record_path(target).read_bytes()
    with pytest.raises(DataError, match="run without --resume"):
        update(changed(new=["999.png"]), target)
    assert (target.read_bytes(), record_path(target).read_bytes()) == (old, record)


@pytest.mark.parametrize(
    ("options", "reads", "message"),
    [
        ({}, False, "cannot be read back"),
        ({"sort_into": "x"}, True, "would stay"),
        ({"save_prepared": "x"}, True, "would stay"),
    ],
)
def test_what_cannot_be_updated_is_left_alone_unless_inputs_change(
    options: dict[str, Any], reads: bool, message: str, target: Path
) -> None:
    plan = Plan(target, JSONL, (), options, JSONL.read if reads else None)
    job(shelf(), Reader(), target, plan=plan).run()
    assert update(shelf(), target, plan=plan) == ([], None)
    with pytest.raises(UsageError, match=message):
        update(changed(3), target, plan=plan)


def test_inputs_that_were_moved_are_not_gone(target: Path) -> None:
    plan = Plan(target, JSONL, (), {"sort_into": "x", "how": "move"}, JSONL.read)
    job(shelf(), Reader(), target, plan=plan).run()
    assert update(Shelf({}), target, plan=plan) == ([], None)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_folder_that_grew_changed_and_shrank(
    kind: str, tmp_path: Path, exported_dir: Path, run_fmnist: RunFmnist
) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    for number in range(12):
        (photos / f"{number:02}.png").write_bytes(encoded(frame(number)))
        (photos / "sub" / f"{number:02}.png").write_bytes(encoded(frame(number)))
    (photos / "05.png").write_bytes(b"no picture")
    words = ("classify", photos, "-m", "cnn", "--models-dir", exported_dir, "-o")
    rows, other = tmp_path / f"rows.{kind}", tmp_path / f"other.{kind}"
    assert run_fmnist(*words, rows).code == 3
    made = rows.stat().st_ino
    same = run_fmnist(*words, rows, "--update")
    assert "nothing left to do" in same.stderr
    assert rows.stat().st_ino == made
    (photos / "00.png").unlink()
    (photos / "sub" / "11.png").unlink()
    (photos / "05.png").write_bytes(encoded(frame(99)))
    (photos / "07.png").write_bytes(encoded(frame(98)))
    (photos / "06a.png").write_bytes(encoded(frame(97)))
    done = run_fmnist(*words, rows, "--update")
    assert done.code == 0
    assert "since the run before: 1 new, 2 changed, 2 gone" in done.stderr
    assert run_fmnist(*words, other).code == 0
    assert rows.read_bytes() == other.read_bytes()
