"""Outputs that would go where they should not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faulty import Faulty
from packing import as_zip
from pictures import encoded, frame
from tinymodel import write_exported

from fmnist_cli.data.images import write_images
from fmnist_cli.errors import FmnistError, UsageError
from fmnist_cli.files import open_own, whole_file, write_text
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.sinks.outputs import Outputs, Wanted
from fmnist_cli.sinks.placing import copy_file, write_content
from fmnist_cli.sources import check_output, open_sources, outside

KEPT = "not to be written to"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file elsewhere, that links lead to."""
    path = tmp_path / "elsewhere" / "victim"
    path.parent.mkdir()
    path.write_text(KEPT)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with two pictures, in a folder."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "sub/b.png")):
        (folder / name).write_bytes(encoded(frame(seed)))
    return folder


NAMES = ("rows.jsonl.partial", "rows.jsonl.run.json.partial", "rows.jsonl.run.json", "rows.jsonl")


def test_links_of_the_names_that_are_written(fmnist: Faulty, photos: Path, victim: Path) -> None:
    """what they lead to stays as it is: they are replaced, or the run is refused"""
    out = photos.parent / "out"
    out.mkdir()
    for name in (*NAMES[1:3], "s.json.partial", "page.html.partial", "rows.csv.partial"):
        (out / name).symlink_to(victim)
    words = ("-o", "rows.csv", "--report", "page.html", "--summary", "s.json")
    outcome = fmnist("classify", photos, "-m", "cnn", *words, cwd=out)
    assert outcome.code == 0, outcome.said
    (out / "rows.jsonl.partial").symlink_to(victim)
    (out / "rows.jsonl.run.json").unlink()
    refused = fmnist("classify", photos, "-m", "cnn", "-o", "rows.jsonl", cwd=out)
    assert refused.code == 2
    assert "rows.jsonl.partial" in refused.said
    assert victim.read_text() == KEPT


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pipe", "folder"])
@pytest.mark.parametrize("append", [True, False])
def test_journal_that_is_none_of_ours(
    kind: str, append: bool, tmp_path: Path, victim: Path
) -> None:
    """refused, nothing is written"""
    path = tmp_path / "rows.jsonl.partial"
    if kind == "symbolic link":
        path.symlink_to(victim)
    elif kind == "hard link":
        os.link(victim, path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(OSError, match=r"link|folder|directory|symbolic"):
        open_own(path, append=append)
    assert victim.read_text() == KEPT


def test_links_where_files_are_begun(tmp_path: Path, victim: Path) -> None:
    """the link is replaced, not followed"""
    for name in ("a.partial", "b.partial", "c", "d", "labels.csv", "00000.png.partial"):
        (tmp_path / name).symlink_to(victim)
    write_text(tmp_path / "a", "text")
    with whole_file(tmp_path / "b") as partial:
        partial.write_text("text")
    assert write_content(b"text", str(tmp_path / "e"), str(tmp_path / "c"))
    assert copy_file(str(tmp_path / "a"), str(tmp_path / "f"), str(tmp_path / "d"))
    assert [(tmp_path / name).read_text() for name in "abef"] == ["text"] * 4
    assert victim.read_text() == KEPT


def test_links_among_images_of_the_data_set(tmp_path: Path, victim: Path) -> None:
    """replaced, not followed"""
    from synthetic import images

    out = tmp_path / "images"
    out.mkdir()
    for name in ("00000.png", "labels.csv", "00001.png.partial"):
        (out / name).symlink_to(victim)
    write_images(images(3), out, force=True)
    assert victim.read_text() == KEPT
    assert not any(path.is_symlink() for path in out.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("--report", "photos/a.png"),
        ("--summary", "photos/sub/b.png"),
        ("-o", "photos/a.png", "--format", "jsonl"),
        ("-o", "photos/picture", "--format", "csv"),
        ("--report", "link.png"),
        ("--summary", "shard.zip"),
        ("--summary", "models/cnn.onnx"),
        ("-o", "list.txt"),
    ],
)
def test_output_that_is_an_input(words: tuple[str, ...], photos: Path, tmp_path: Path) -> None:
    """refused before anything is read, however it is named"""
    (photos / "picture").write_bytes(encoded(frame(), "JPEG"))
    Path("link.png").symlink_to(photos / "a.png")
    as_zip({"a.png": encoded(frame())}, Path("shard.zip"))
    Path("list.txt").write_text("photos/a.png\n")
    models = write_exported(Path("models"))
    options = dict(zip(words[::2], words[1::2], strict=True))
    wanted = Wanted(
        outputs=[options["-o"]] if "-o" in options else [],
        format=options.get("--format"),
        page=options.get("--report"),
        summary=options.get("--summary"),
    )
    source = open_sources(["photos"], listing="list.txt")
    with pytest.raises(UsageError, match=r"would be overwritten|no kind of output ends in"):
        Outputs.of(wanted, Settings(), []).check(source, [models / "cnn.onnx"])


def test_output_that_a_pattern_reads(tmp_path: Path) -> None:
    """a table of an earlier run is not read and replaced in one"""
    Path("a.zip").write_bytes(b"PK\3\4")
    as_zip({"a.png": encoded(frame())}, Path("a.zip"))
    Path("rows.parquet").write_bytes(b"PAR1")
    source = open_sources(["*.*"])
    outputs = Outputs.of(Wanted(outputs=["rows.parquet"]), Settings(), [])
    with pytest.raises(UsageError, match=r"rows\.parquet is read in this run"):
        outputs.check(source, [])
    outputs.check(open_sources(["*.zip"]), [])


def test_output_of_an_earlier_run(tmp_path: Path, photos: Path) -> None:
    """replaced, as ever, also where the pictures are"""
    for name in ("rows.jsonl", "rows.csv", "page.html", "rows.parquet", "new.png.jsonl"):
        (photos / name).write_bytes(b"PAR1" if name.endswith("parquet") else b"{}\n")
        check_output(photos / name, [photos / "a.png"])


@pytest.mark.parametrize("command", [("prepare",), ("explain", "-m", "cnn")])
@pytest.mark.parametrize("out", ["photos", "photos/sub", "photos/new"])
def test_folder_of_pictures_as_output(
    command: tuple[str, ...], out: str, photos: Path, tmp_path: Path
) -> None:
    """refused: what is written would be read the next time"""
    from typer.main import get_command

    from fmnist_cli.cli import build_app

    before = sorted(photos.rglob("*"))
    app = get_command(build_app(command[0], "classify"))
    with pytest.raises(UsageError, match="lies in the input 'photos'"):
        app.main([*command, "photos", "-o", out, "--force"], standalone_mode=False)
    assert sorted(photos.rglob("*")) == before


def test_named_picture_in_the_folder_that_is_written(photos: Path) -> None:
    """refused, also where it is listed or a link"""
    link = photos.parent / "link.png"
    link.symlink_to(photos / "a.png")
    for name in (photos / "a.png", link):
        with pytest.raises(UsageError, match="which is read in this run"):
            list(outside(open_sources([name]), "-o", photos))
    assert list(outside(open_sources([photos / "a.png"]), "-o", photos / "new"))


def test_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    """an error that names the file"""
    (tmp_path / "a.partial").mkdir()
    with pytest.raises(FmnistError, match=r"cannot write .*a"), whole_file(tmp_path / "a"):
        pass
