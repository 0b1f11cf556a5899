"""`classify -o FOLDER/` and `merge`: parts that any number of runs fill, and one file of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pictures import encoded, frame
from process import RunFmnist

from fmnist_cli import parts
from fmnist_cli.cli.labelling import Run, label
from fmnist_cli.contract import Row
from fmnist_cli.errors import EXIT_REJECTED, DataError, FmnistError, UsageError
from fmnist_cli.inference.classifier import Classifier, KnownItem, Settings
from fmnist_cli.sinks import KINDS
from fmnist_cli.sinks.outputs import Wanted
from fmnist_cli.sources import Inputs
from fmnist_cli.sources.items import HeldItem, Item
from fmnist_cli.store import open_store

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.usefixtures("small_parts")

COUNT, SIZE = 40, 7
ALL = [f"part-{number:06}.parquet" for number in range(-(-COUNT // SIZE))]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "INPUTS", SIZE)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Forty pictures, one of them broken."""
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(COUNT):
        (root / f"{number:02}.png").write_bytes(encoded(frame(number)))
    (root / "17.png").write_bytes(b"no picture")
    return root


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pictures that a model was asked about."""
    paths: list[str] = []
    call = Classifier.__call__

    def noting(self: Classifier, items: Sequence[Item]) -> list[Row]:
        paths.extend(item.path for item in items if not isinstance(item, KnownItem))
        return call(self, items)

    monkeypatch.setattr(Classifier, "__call__", noting)
    return paths


Fill = Callable[..., int]


@pytest.fixture
def fill(photos: Path, exported_dir: Path) -> Fill:
    """`fmnist classify photos -o TARGET`, in threads, so that what is seen is seen here."""

    def run(target: Path | str, shard: tuple[int, int] | None = None, **options: Any) -> int:
        settings = Settings(top_k=options.pop("top_k", 3))
        how = {"model": "cnn", "models_dir": exported_dir, "engine": "threads", **options}
        inputs = Inputs((str(photos),), shard=shard)
        return label(inputs, settings, Wanted((str(target),)), Run(**how))

    return run


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("part-*")}


def merged(folder: Path, kind: str = "jsonl") -> bytes:
    target = folder.with_name(f"merged-{folder.name}.{kind}")
    parts.merge(open_store(folder), target, KINDS[kind])
    return target.read_bytes()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_the_parts_make_the_file_of_a_single_run(fill: Fill, tmp_path: Path, kind: str) -> None:
    assert fill(f"{tmp_path}/rows/") == EXIT_REJECTED
    assert sorted(content(tmp_path / "rows")) == ALL
    fill(tmp_path / f"whole.{kind}")
    assert merged(tmp_path / "rows", kind) == (tmp_path / f"whole.{kind}").read_bytes()


@pytest.mark.parametrize("engine", ["fork", "threads"])
def test_shares_make_the_same_parts(fill: Fill, tmp_path: Path, engine: str) -> None:
    fill(f"{tmp_path}/whole/")
    for index in (3, 1, 2):
        fill(f"{tmp_path}/shared/", shard=(index, 3), engine=engine)
        if index != 2:
            with pytest.raises(DataError, match="is not complete; missing: part-00000"):
                merged(tmp_path / "shared")
    assert content(tmp_path / "shared") == content(tmp_path / "whole")
    assert fill(f"{tmp_path}/shared/", shard=(9, 9)) == 0  # nothing falls to it


def test_only_what_is_missing_is_made(fill: Fill, tmp_path: Path, seen: list[str]) -> None:
    rows = tmp_path / "rows"
    fill(f"{rows}/")
    whole, made = content(rows), {path.name: path.stat().st_ino for path in rows.iterdir()}
    (rows / ALL[2]).unlink()
    (rows / ALL[4]).write_bytes(whole[ALL[4]][:-9])  # cut off
    with pytest.raises(DataError, match=r"missing: part-000002\.parquet"):
        merged(rows)
    seen.clear()
    fill(f"{rows}/")
    assert seen == [f"{n:02}.png" for k in (2, 4) for n in range(k * SIZE, (k + 1) * SIZE)]
    assert content(rows) == whole
    again = {path.name for path in rows.iterdir() if path.stat().st_ino != made[path.name]}
    assert again <= {ALL[2], ALL[4]}
    seen.clear()
    assert fill(f"{rows}/") == EXIT_REJECTED
    assert seen == []


def test_an_interrupted_run_keeps_whole_parts_only(
    fill: Fill, tmp_path: Path, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(f"{tmp_path}/whole/")
    call = Classifier.__call__

    def stopping(self: Classifier, items: Sequence[Item]) -> list[Row]:
        if any(item.path == "30.png" for item in items):
            raise KeyboardInterrupt
        return call(self, items)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "__call__", stopping)
        fill(f"{tmp_path}/rows/", batch_size=4, workers=1)
    left = content(tmp_path / "rows")
    assert set(left) < set(ALL)
    seen.clear()
    fill(f"{tmp_path}/rows/")
    assert len(seen) == COUNT - SIZE * len(left)
    assert content(tmp_path / "rows") == content(tmp_path / "whole")


def test_a_folder_that_grew_changed_and_shrank(
    fill: Fill, photos: Path, tmp_path: Path, seen: list[str]
) -> None:
    rows = tmp_path / "rows"
    fill(f"{rows}/")
    (photos / "01.png").unlink()
    (photos / "30.png").write_bytes(encoded(frame(99)))
    (photos / "98.png").write_bytes(encoded(frame(98)))
    seen.clear()
    fill(f"{rows}/")
    # What is new to a part is labelled: the first of the next part moves up where one is gone.
    assert seen == ["07.png", "14.png", "21.png", "28.png", "30.png", "35.png", "98.png"]
    fill(f"{tmp_path}/fresh/")
    assert content(rows) == content(tmp_path / "fresh")
    for number in range(5, COUNT):
        (photos / f"{number:02}.png").unlink()
    fill(f"{rows}/")
    assert sorted(content(rows)) == ALL[:1]
    assert merged(rows).count(b"\n") == 5


def test_a_run_without_pictures_removes_nothing(fill: Fill, photos: Path, tmp_path: Path) -> None:
    fill(f"{tmp_path}/rows/")
    photos.rename(tmp_path / "elsewhere")
    photos.mkdir()
    with pytest.raises(FmnistError, match="no pictures found"):
        fill(f"{tmp_path}/rows/")
    assert sorted(content(tmp_path / "rows")) == ALL


def test_rejected_inputs_are_done_again(
    fill: Fill, photos: Path, tmp_path: Path, seen: list[str]
) -> None:
    fill(f"{tmp_path}/rows/")
    seen.clear()
    fill(f"{tmp_path}/rows/", retry_failed=True)
    assert seen == ["17.png"]


def test_shares_of_different_listings_are_found_out(
    fill: Fill, photos: Path, tmp_path: Path
) -> None:
    fill(f"{tmp_path}/rows/", shard=(1, 2))
    (photos / "05a.png").write_bytes(encoded(frame(98)))
    fill(f"{tmp_path}/rows/", shard=(2, 2))
    with pytest.raises(DataError, match=r"part-000001.parquet was made of another listing"):
        merged(tmp_path / "rows")
    fill(f"{tmp_path}/rows/")
    assert merged(tmp_path / "rows").count(b"\n") == COUNT + 1


def test_other_options_and_other_folders_are_refused(
    fill: Fill, photos: Path, tmp_path: Path
) -> None:
    fill(f"{tmp_path}/rows/", shard=(1, 2))
    before = content(tmp_path / "rows")
    with pytest.raises(UsageError, match=r"another top_k: 3, now 2.*name a new folder"):
        fill(f"{tmp_path}/rows/", top_k=2)
    assert content(tmp_path / "rows") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").touch()
    with pytest.raises(UsageError, match="holds notes and no parts"):
        fill(tmp_path / "mine")
    with pytest.raises(UsageError, match="lies in the input"):
        fill(f"{photos}/rows/")
    for none in (tmp_path / "mine", tmp_path / "mine" / "notes", tmp_path / "gone"):
        with pytest.raises(UsageError, match="no folder of parts"):
            merged(none)
    with pytest.raises(UsageError, match="among the parts"):
        parts.merge(open_store(tmp_path / "rows"), tmp_path / "rows" / ALL[0], KINDS["parquet"])
    assert content(tmp_path / "rows") == before


def test_too_many_errors_end_the_run(fill: Fill, tmp_path: Path) -> None:
    with pytest.raises(FmnistError, match=r"more than --max-errors 0, such as 17\.png"):
        fill(f"{tmp_path}/rows/", max_errors=0)


def test_content_that_travels_makes_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_HELD", 100)
    found = list(parts.slices(HeldItem(str(number), bytes(40)) for number in range(7)))
    assert [len(one.items) for one in found] == [3, 3, 1]
    assert [one.last for one in found] == [False, False, True]


def test_the_command(
    photos: Path, tmp_path: Path, exported_dir: Path, run_fmnist: RunFmnist
) -> None:
    words = ("classify", photos, "-m", "cnn", "--models-dir", exported_dir)
    rows = tmp_path / "rows"
    done = run_fmnist(*words, "-o", f"{rows}{os.sep}", "--shard", "1/1")
    assert (done.code, done.stdout) == (EXIT_REJECTED, "")
    assert run_fmnist("merge", rows, "-o", tmp_path / "a.jsonl").code == 0
    assert run_fmnist(*words, "-o", tmp_path / "b.jsonl").code == EXIT_REJECTED
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert "all is in parts" in run_fmnist(*words, "-o", rows).stderr
    (rows / ALL[0]).unlink()
    lacking = run_fmnist("merge", rows, "-o", tmp_path / "c.csv")
    assert lacking.code == 1
    assert "missing: all from part-000000.parquet on" in lacking.stderr
    assert not list(tmp_path.glob("c.csv*"))
    for wrong in (["--report", "page.html"], ["-o", "a.csv"], ["--format", "csv"]):
        assert run_fmnist(*words, "-o", rows, *wrong).code == 2
    for target in ("page.html", "rows", "rows.xyz"):
        assert run_fmnist("merge", rows, "-o", tmp_path / target).code == 2


def test_merge_into_the_parts_elsewhere(run_fmnist: RunFmnist) -> None:
    done = run_fmnist("merge", "s3://b/rows/", "-o", "s3://b/rows/all.csv")
    assert (done.code, "would lie among the parts" in done.stderr) == (2, True)
