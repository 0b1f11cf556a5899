"""Windows and macOS, as far as Linux can show: no fork, no POSIX calls, other rules for files."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import windowslike
from photofolders import write_photos
from process import Finished, finished

from fmnist_cli import sources
from fmnist_cli.contract import Candidate, Prediction
from fmnist_cli.engines import default_engine
from fmnist_cli.sinks import placing
from fmnist_cli.sinks.tree import TreeSink
from fmnist_cli.sources.items import HeldItem

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the other systems are simulated")


def windows(
    *arguments: str | Path, home: Path, program: tuple[str, ...] = (windowslike.__file__,)
) -> Finished:
    """`fmnist ARGUMENT…` as `windowslike` has it."""
    return finished([sys.executable, *program, *map(str, arguments)], home=home)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_photos(tmp_path_factory.mktemp("photos"), {"a": 15, "b": 15})
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for name in ("x.png", "aux.png", "what?.png"):
            archive.writestr(name, (folder / "a" / "000.png").read_bytes())
    (folder / "a" / "007.png").write_bytes(b"\x89PNG\r\n\x1a\nand then nothing")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below but records and pages, which hold times; names without hashes."""
    found = [file for file in folder.rglob("*") if file.suffix in (".csv", ".parquet", ".png")]
    named = ((file.relative_to(folder).as_posix(), file) for file in found)
    return {re.sub(r"~\w{8}", "", name): file.read_bytes() for name, file in named}


OUTPUTS = (
    *("-o", "rows.jsonl", "-o", "rows.csv", "-o", "rows.parquet", "--sort-into", "tree"),
    *("--report", "page.html", "--summary", "summary.json"),
)


def test_outputs_are_those_of_other_systems(
    photos: Path, exported_dir: Path, tmp_path: Path
) -> None:
    inputs = [photos / name for name in ("a", "b", "more.zip")]
    asked = (*inputs, "--models-dir", exported_dir, "-m", "cnn", "--workers", "2", *OUTPUTS)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    assert windows("classify", *asked, home=here, program=("-m", "fmnist_cli")).code == 3
    done = windows("classify", *asked, home=there)
    assert done.code == 3, done.stderr
    renamed = {"/what?.png": "/what-.png", "/aux.png": "/-.png"}
    expected = {
        re.sub("/(what\\?|aux).png$", lambda match: renamed[match[0]], name): content
        for name, content in files_of(here).items()
    }
    assert files_of(there) == expected
    assert len(expected) == 2 + 29 + 3  # tables and pictures
    assert (there / "rows.jsonl").read_bytes() == (here / "rows.jsonl").read_bytes()
    for name in ("page.html", "summary.json"):
        assert b"\r\n" not in (there / name).read_bytes()
    assert not list(there.glob("*.partial"))


def test_an_interrupted_run_is_resumed(photos: Path, exported_dir: Path, tmp_path: Path) -> None:
    asked = ("classify", photos / "a", "--models-dir", exported_dir, "-m", "cnn", "-o", "r.jsonl")
    asked = (*asked, "--engine", "threads")  # spawned processes were seen to work above
    stopped = windows(*asked, "--max-errors", "0", home=tmp_path)
    assert stopped.code == 1
    assert "go on with --resume" in stopped.stderr
    assert windows(*asked, "--resume", home=tmp_path).code == 3
    assert len((tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()) == 15
    updated = windows(*asked, "--update", home=tmp_path)
    assert updated.code == 3, updated.stderr
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--sort-into", "tree", "--link"), "no links can be made in"),
        (("--engine", "fork", "--workers", "2"), "Windows cannot fork processes"),
        (("--engine", "fork", "--workers", "1"), "Windows cannot fork processes"),
    ],
)
def test_what_windows_cannot_is_said(
    options: tuple[str, ...], told: str, photos: Path, exported_dir: Path, tmp_path: Path
) -> None:
    asked = (photos / "a", "--models-dir", exported_dir, "-m", "cnn", "-q", *options)
    done = windows("classify", *asked, home=tmp_path)
    assert done.code == 2
    assert told in done.stderr
    assert not list(tmp_path.rglob("*.png"))


def test_the_simulation_refuses_what_windows_refuses(tmp_path: Path) -> None:
    # Else the tests above would show nothing.
    program = (
        "import windowslike, sys; windowslike.become();"
        "from pathlib import Path; import fmnist_cli.machine as m;"
        "file = open(sys.argv[1], 'w'); file.write('\\n'); file.flush();"
        "print(m.sys.platform, hasattr(m.os, 'sysconf'), Path(sys.argv[1]).read_bytes());"
        "Path(sys.argv[1]).unlink()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
    )
    assert done.stdout == "win32 False b'\\r\\n'\n"
    assert "PermissionError" in done.stderr


@pytest.mark.parametrize(
    ("platform", "engine"), [("linux", "fork"), ("darwin", "spawn"), ("win32", "spawn")]
)
def test_processes_are_forked_on_linux_only(
    platform: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert default_engine() == engine


@pytest.mark.parametrize("typed", ["a\\00*.png", "a\\{001,002}.png", ".\\a\\00[1-3].png", "a\\"])
def test_backslashes_are_slashes_where_they_separate(
    typed: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    slashed = [item.path for item in sources.open_sources([typed.replace("\\", "/")])]
    monkeypatch.setattr(sources, "os", SimpleNamespace(sep="\\", path=os.path))
    opened = sources.open_sources([typed])
    assert slashed == [item.path for item in opened]
    assert slashed
    assert {root.as_posix() for root in (*opened.folders, *opened.files)} <= {
        "a",
        "a/001.png",
        "a/002.png",
    }


@pytest.mark.parametrize(
    "name", ["nul", "COM1.png", "sub/con/a.png", "a.", "sub /b.png", "x\x01.png", "a:b.png"]
)
def test_names_that_windows_refuses_are_changed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert next(placing.places(name)) == name
    by_system = placing._UNSAFE_BY_SYSTEM
    monkeypatch.setitem(by_system, "posix", by_system["nt"])
    place = next(placing.places(name))
    assert place != name
    for part in place.split("/"):
        assert not set('<>:"\\|?*') & set(part)
        assert part.isprintable()
        assert part == part.rstrip(". ")
        assert part.split(".")[0].lower() not in ("nul", "com1", "con")
    assert next(placing.places("console/a.b c.png")) == "console/a.b c.png"


@pytest.mark.parametrize("label", ["con", "Aux", "com1", "nul.x"])
def test_no_label_is_a_device(label: str) -> None:
    assert placing.label_folder(label).startswith("-")
    assert placing.label_folder(f"x{label}") == f"x{label}"


def test_names_that_differ_in_case_only_do_not_replace_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"

    def folded(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            return function(*(_fold(one) for one in arguments))

        return call

    def _fold(argument: Any) -> Any:
        is_path = isinstance(argument, str) and argument.startswith(str(tree))
        return str(tree) + argument[len(str(tree)) :].lower() if is_path else argument

    lexists = SimpleNamespace(lexists=folded(os.path.lexists), join=os.path.join)
    names = ("lstat", "mkdir", "replace")
    folding = {name: folded(getattr(os, name)) for name in names}
    same = {name: getattr(os, name) for name in ("fsencode", "name")}
    monkeypatch.setattr(placing, "os", SimpleNamespace(path=lexists, **folding, **same))
    monkeypatch.setattr(placing, "open", folded(io.open), raising=False)
    contents = {"Dir/A.png": b"1", "dir/a.png": b"2", "dir/A.png": b"3"}
    with TreeSink(tree, "copy") as sink:
        for name, content in contents.items():
            row = Prediction(name, 8, "Bag", 1.0, (Candidate("Bag", 1.0),), "frame")
            sink.write([row], [HeldItem(name, content, "")])
    assert sink.placed == 3
    assert sorted(file.read_bytes() for file in tree.rglob("*.png")) == [b"1", b"2", b"3"]
