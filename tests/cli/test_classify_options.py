"""The options of `fmnist classify`, one by one, as a user types them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packing import as_zip
from pictures import encoded, frame, smooth
from process import RunFmnist, command, environment

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
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
    """Four pictures, one of them broken, and a note."""
    root = tmp_path / "pictures"
    (root / "sub").mkdir(parents=True)
    (root / "a.png").write_bytes(encoded(frame(1)))
    (root / "b.jpg").write_bytes(encoded(smooth(60, 90, 3), "JPEG"))
    (root / "broken.png").write_bytes(b"no picture")
    (root / "notes.txt").write_text("a note")
    (root / "sub" / "a.png").write_bytes(encoded(frame(2)))
    return root


def paths(done: Any) -> list[str]:
    return [json.loads(line)["path"] for line in done.stdout.splitlines()]


ALL = ["a.png", "b.jpg", "broken.png", "sub/a.png"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ALL),
        (["--no-recursive"], ALL[:3]),
        (["--include", "*.jpg"], ["b.jpg"]),
        (["--include", "a.*", "--include", "*.jpg"], ["a.png", "b.jpg", "sub/a.png"]),
        (["--exclude", "sub"], ALL[:3]),
        (["--exclude", "b*"], ["a.png", "sub/a.png"]),
        (["--include", "sub/*"], ["sub/a.png"]),
        (["--limit", "2"], ALL[:2]),
    ],
    ids=" ".join,
)
def test_selection(
    classify: Classify, folder: Path, options: list[str], expected: list[str]
) -> None:
    assert paths(classify(folder, *options)) == expected


@pytest.mark.parametrize("separator", ["\n", "\0"])
@pytest.mark.parametrize("by", ["-", "--from-file"])
def test_paths_from_lists(
    separator: str, by: str, folder: Path, tmp_path: Path, exported_dir: Path
) -> None:
    listed = [f"{folder}/sub/a.png", f"{folder}/missing.png", f"{folder}/a.png"]
    text = separator.join([*listed, ""])
    arguments: list[str | Path] = ["classify", "-m", "cnn", "--models-dir", exported_dir]
    if separator == "\0":
        arguments.append("-0")
    if by == "-":
        arguments.append("-")
    else:
        (tmp_path / "list").write_text(text)
        arguments += ["--from-file", tmp_path / "list"]
    done = subprocess.run(
        command(*arguments),
        input=text,
        capture_output=True,
        encoding="utf-8",
        env=environment(tmp_path),
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == listed
    assert [row["status"] for row in rows] == ["ok", "error", "ok"]
    assert done.returncode == EXIT_REJECTED


def test_a_pattern_names_what_a_shell_would(classify: Classify, folder: Path) -> None:
    done = classify(f"{folder}/**/a.png")
    assert paths(done) == [f"{folder}/a.png", f"{folder}/sub/a.png"]


def test_a_dry_run_counts_by_kind_and_labels_nothing(classify: Classify, folder: Path) -> None:
    done = classify(folder, "--dry-run")
    assert done.code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["PNG", "2", "0.0"] in lines
    assert ["JPEG", "1", "0.0"] in lines
    assert ["all", "4"] in [line[:2] for line in lines]
    assert lines[-1] == ["no", "picture:", ".txt", "1"]
    assert "no picture: notes.txt" in done.stderr


def test_limits_of_size(classify: Classify, folder: Path) -> None:
    rows = [json.loads(x) for x in classify(folder, "--max-pixels", "1K").stdout.splitlines()]
    assert [row["status"] for row in rows] == ["ok", "error", "error", "ok"]
    assert "60 × 90" in rows[1]["error"]
    done = classify(folder, "--max-bytes", "12")
    assert {json.loads(x)["status"] for x in done.stdout.splitlines()} == {"error"}


def test_below_the_threshold_everything_is_unknown(classify: Classify, folder: Path) -> None:
    options = ("--format", "csv", "--top-k", "1", "--prepare", "frame")
    done = classify(folder, "--threshold", "1", *options)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["label"] for row in rows] == ["unknown", "unknown", "", "unknown"]
    assert [row["class_id"] for row in rows] == ["", "", "", ""]
    assert rows[0]["label_1"] in CLASS_NAMES
    summary = done.stderr.splitlines()
    assert summary[0].startswith("0 labelled, 3 unknown, 1 rejected, ")
    assert [line.split()[0] for line in summary[1:]] == ["unknown", "rejected"]  # no bars of zeros
    line = classify(folder, "--threshold", "1", "--format", "text").stdout.splitlines()[0]
    assert re.match(r"unknown {10,}a\.png  \(\S.*%, ", line)  # no share that is another label's


def test_errors_only(classify: Classify, folder: Path) -> None:
    done = classify(folder, "--errors-only")
    assert paths(done) == ["broken.png"]
    assert "3 labelled, 1 rejected" in done.stderr


def test_max_errors_stops(classify: Classify, folder: Path, tmp_path: Path) -> None:
    done = classify(folder, "--max-errors", "0", "-o", tmp_path / "rows.csv")
    assert done.code == 1
    assert "more than --max-errors 0" in done.stderr
    assert "broken.png: not an image" in done.stderr
    assert not (tmp_path / "rows.csv").exists()
    done = classify(folder, "--max-errors", "1", "-o", tmp_path / "rows.csv", "--resume")
    assert done.code == EXIT_REJECTED
    assert (tmp_path / "rows.csv").exists()


def test_a_summary_for_programs(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder, "--summary", tmp_path / "summary.json")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["total"], summary["labelled"], summary["rejected"]) == (4, 3, 1)
    assert sum(summary["labels"].values()) == 3
    assert summary["examples"] == [
        ["broken.png", "not an image, or of a kind that is not supported"]
    ]
    assert summary["options"]["model"] == "cnn"


def test_several_outputs_of_one_run(classify: Classify, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from fmnist_cli.sinks import open_line_format
    from fmnist_cli.sinks.parquet import read

    names = ("rows.jsonl", "rows.csv", "rows.parquet")
    outputs = [argument for name in names for argument in ("-o", tmp_path / name)]
    done = classify(folder, *outputs, "-o", "-", "--gallery", tmp_path / "page.html")
    rows = list(open_line_format("jsonl", 3).read(tmp_path / "rows.jsonl"))
    assert [row.path for row in rows] == ALL == paths(done)
    assert list(open_line_format("csv", 3).read(tmp_path / "rows.csv")) == rows
    assert list(read(tmp_path / "rows.parquet")) == rows
    assert "broken.png" in (tmp_path / "page.html").read_text(encoding="utf-8")
    left = {path.name for path in tmp_path.iterdir()}
    beside = {"rows.jsonl.run.json", "rows.jsonl.run.inputs"}
    assert left == {"pictures", *names, "page.html"} | beside


@pytest.mark.parametrize("how", ["--copy", "--link", "--move"])
def test_sorting_pictures_by_label(
    classify: Classify, folder: Path, tmp_path: Path, how: str
) -> None:
    tree = tmp_path / "sorted"
    labels = {r["path"]: r["label"] for r in map(json.loads, classify(folder).stdout.splitlines())}
    plan = classify(folder, "--sort-into", tree, how, "--dry-run")
    assert not tree.exists()
    done = classify(folder, "--sort-into", tree, how)
    assert done.code == EXIT_REJECTED  # broken.png
    expected = {
        f"{label.replace('/', '-')}/{path}" for path, label in labels.items() if label is not None
    }
    found = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if not path.is_dir()}
    assert found == expected
    assert all(target in plan.stdout for target in expected)
    assert (folder / "a.png").exists() == (how != "--move")
    assert (folder / "broken.png").exists()
    if how == "--link":
        assert all((tree / path).is_symlink() for path in found)


def test_sorting_into_a_folder_that_is_in_use_is_refused(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "sorted").mkdir()
    (tmp_path / "sorted" / "mine.txt").touch()
    done = classify(folder, "--sort-into", tmp_path / "sorted")
    assert done.code == 2
    assert "sorted" in done.stderr
    assert (done.stdout, len(list((tmp_path / "sorted").iterdir()))) == ("", 1)
    assert "--force" in done.stderr
    forced = (folder, "--sort-into", tmp_path / "sorted", "--force")
    plan = classify(*forced, "--dry-run").stdout
    assert classify(*forced).code == EXIT_REJECTED  # broken.png
    (copy,) = (tmp_path / "sorted").glob("*/a.png")
    assert str(copy) in plan
    assert (tmp_path / "sorted" / "mine.txt").exists()


def test_pictures_in_archives_can_only_be_copied(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    archive = as_zip({"a.png": (folder / "a.png").read_bytes()}, tmp_path / "a.zip")
    done = classify(archive, "--sort-into", tmp_path / "moved", "--move")
    assert done.code == 2
    assert "--copy" in done.stderr
    assert done.stdout == ""
    assert classify(archive, "--sort-into", tmp_path / "copied").code == 0
    (copy,) = [path for path in (tmp_path / "copied").rglob("*") if path.is_file()]
    assert copy.read_bytes() == (folder / "a.png").read_bytes()


def test_retrying_what_failed(classify: Classify, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    assert classify(folder, "-o", target).code == EXIT_REJECTED
    before = target.read_text().splitlines()
    (folder / "broken.png").write_bytes(encoded(frame(5)))
    done = classify(folder, "-o", target, "--retry-failed")
    assert done.code == 0
    after = target.read_text().splitlines()
    assert json.loads(after[2])["status"] == "ok"
    assert [line for index, line in enumerate(after) if index != 2] == [
        line for index, line in enumerate(before) if index != 2
    ]
    again = classify(folder, "-o", target, "--retry-failed")
    assert again.code == 0
    assert target.read_text().splitlines() == after


def test_a_finished_run_is_not_done_again(classify: Classify, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.csv"
    first = classify(folder, "-o", target, "--resume")
    again = classify(folder, "-o", target, "--resume")
    assert first.code == again.code == EXIT_REJECTED
    assert "nothing left to do" in again.stderr
    other = classify(folder, "-o", target, "--resume", "--top-k", "2")
    assert other.code == 2
    assert "another top_k: 3, now 2" in other.stderr


def test_names_that_are_not_utf8_survive(classify: Classify, folder: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        (folder / name).write_bytes(encoded(frame(4)))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert name in paths(classify(folder))
    done = classify(folder, "-o", tmp_path / "rows.csv", "--resume")
    assert done.code == EXIT_REJECTED
    assert "Traceback" not in done.stderr


def test_an_input_named_again_within_another_gets_its_own_rows(
    classify: Classify, folder: Path
) -> None:
    done = classify(folder / "sub", folder / "a.png", folder / "sub")
    assert paths(done) == [f"{folder}/sub/a.png", f"{folder}/a.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("PICTURES/a.png", "--gallery", "PICTURES/a.png"),
        ("PICTURES/a.png", "--summary", "PICTURES/a.png"),
        ("LIST", "-o", "LIST"),
        ("--from-file", "LIST", "-o", "LIST"),
        ("PICTURES/rows.jsonl.partial", "-o", "PICTURES/rows.jsonl"),
        ("PICTURES", "-o", "rows.jsonl", "--summary", "rows.jsonl"),
        ("PICTURES", "-o", "rows.jsonl", "--gallery", "rows.jsonl"),
        ("PICTURES", "-o", "rows.jsonl", "--summary", "rows.jsonl.run.json"),
    ],
    ids=" ".join,
)
def test_nothing_is_written_over_what_is_read_or_written(
    classify: Classify, folder: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "list").write_text(f"{folder}/a.png\n")
    (folder / "rows.jsonl.partial").write_bytes(encoded(frame(1)))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    names = {"PICTURES": str(folder), "LIST": str(tmp_path / "list")}
    names["rows.jsonl"] = str(tmp_path / "rows.jsonl")
    given = list(arguments)
    for short, long in names.items():
        given = [
            long + word.removeprefix(short) if word.startswith(short) else word for word in given
        ]
    done = classify(*given)
    assert done.code == 2
    assert "overwritten" in done.stderr or "two outputs" in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def piped(text: str, home: Path, *arguments: str | Path) -> Any:
    return subprocess.run(
        command("classify", *arguments),
        input=text,
        capture_output=True,
        encoding="utf-8",
        env=environment(home),
        check=False,
    )


def test_a_stream_cannot_be_gone_through_twice(
    folder: Path, tmp_path: Path, exported_dir: Path
) -> None:
    model = ("-m", "cnn", "--models-dir", exported_dir)
    page = tmp_path / "page.html"
    done = piped(f"{folder}/a.png\n", tmp_path, "-", *model, "--gallery", page)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--from-file" in done.stderr
    done = piped("", tmp_path, "-", *model)
    assert done.returncode == 1
    assert "the list is empty" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
def test_a_list_on_a_pipe_loses_nothing_to_the_progress_bar(
    folder: Path, tmp_path: Path, exported_dir: Path
) -> None:
    import pty

    line = f"print({str(folder / 'a.png')!r}, flush=True); time.sleep(0.03)"
    script = f"import time\nfor _ in range(60): {line}"
    terminal, standard_error = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as paths:
        arguments = ("-", "-m", "cnn", "--models-dir", exported_dir, "--format", "jsonl")
        done = subprocess.Popen(
            command("classify", *arguments),
            stdin=paths.stdout,
            stdout=subprocess.PIPE,
            stderr=standard_error,
            env=environment(tmp_path),
        )
        rows, _ = done.communicate(timeout=60)
    os.close(standard_error)
    os.close(terminal)
    assert rows.count(b"\n") == 60


def test_a_threshold_that_is_no_number_is_refused(classify: Classify, folder: Path) -> None:
    assert classify(folder, "--threshold", "nan").code == 2
