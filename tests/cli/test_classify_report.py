"""`fmnist classify --report`: the page as one more output of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pictures import encoded, frame, smooth
from process import RunFmnist

from fmnist_cli.errors import EXIT_REJECTED

Classify = Callable[..., Any]


@pytest.fixture
def classify(run_fmnist: RunFmnist, exported_dir: Path) -> Classify:
    def run(*arguments: str | Path) -> Any:
        model = ("--model", "cnn", "--models-dir", exported_dir)
        return run_fmnist("classify", *arguments, *model)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures and a broken one."""
    root = tmp_path / "pictures"
    root.mkdir()
    (root / "a.png").write_bytes(encoded(frame(1)))
    (root / "b.jpg").write_bytes(encoded(smooth(60, 90, 3), "JPEG"))
    (root / "broken.png").write_bytes(b"no picture")
    (root / "c.png").write_bytes(encoded(frame(2)))
    return root


def test_alone_or_beside_rows_and_by_both_names(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    rows, page = tmp_path / "rows.jsonl", tmp_path / "page.html"
    alone = classify(folder, "--report", page)
    assert alone.code == EXIT_REJECTED
    assert f"page in {page}" in alone.stderr
    text = page.read_text(encoding="utf-8")
    assert "4 pictures labelled by cnn" in text
    beside = classify(folder, "-o", rows, "--gallery", tmp_path / "again.html")
    assert beside.stdout == ""
    assert rows.read_text(encoding="utf-8") == alone.stdout
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text
    by_suffix = classify(folder, "-o", tmp_path / "third.html")
    assert by_suffix.stdout == ""
    assert (tmp_path / "third.html").read_text(encoding="utf-8") == text


def test_an_interrupted_run_makes_the_same_page(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    whole, page = tmp_path / "whole.html", tmp_path / "page.html"
    classify(folder, "--report", whole)
    stopped = classify(folder, "--report", page, "--max-errors", "0")
    assert stopped.code == 1
    assert not page.exists()
    resumed = classify(folder, "--report", page, "--resume")
    assert resumed.code == EXIT_REJECTED
    assert page.read_bytes() == whole.read_bytes()
    assert "nothing left to do" in classify(folder, "--report", page, "--resume").stderr
    (folder / "d.png").write_bytes(encoded(frame(3)))
    classify(folder, "--report", page)  # without --resume it is made anew
    assert "5 pictures labelled" in page.read_text(encoding="utf-8")


def test_a_dry_run_makes_no_page(classify: Classify, folder: Path, tmp_path: Path) -> None:
    assert classify(folder, "--report", tmp_path / "page.html", "--dry-run").code == 0
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--report", "a.html", "--gallery", "b.html"), "makes one page"),
        (("--report", "none/page.html"), "there is no folder"),
        (("--report", "page.html", "--errors-only"), "nothing for --report"),
    ],
    ids=["twice", "no folder", "errors only"],
)
def test_what_makes_no_sense_is_refused(
    classify: Classify, folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = classify(folder, *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert words in done.stderr
