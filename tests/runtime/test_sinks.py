from __future__ import annotations

import csv
import io
import json
import os
import unicodedata

import pytest

from fmnist_cli.runtime.rows import Candidate, Prediction, Rejected, Row
from fmnist_cli.runtime.sinks import FORMATS, open_sink

TOP = (Candidate("Ankle boot", 0.75), Candidate("Sandal", 0.25))
NAMES = [
    "a/b.png",
    "é 日本 🥾.png",
    'a "quoted", name.png',
    "new\nline\r.png",
    "\x1b[2J.png",
    "\t.png",
]
NAMES += [os.fsdecode(b"caf\xe9.png")]


def good(path: str = "a/b.png") -> Prediction:
    return Prediction(path, 9, "Ankle boot", 0.75, TOP, "frame")


def bad(path: str = "a/c.png", error: str = "empty file") -> Rejected:
    return Rejected(path, error)


def written(name: str, rows: list[Row], top_k: int = 2) -> str:
    """What a sink writes, after a trip through a UTF-8 file."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="utf-8", newline="\n")
    sink = open_sink(name, stream, top_k)
    for row in rows:
        sink.write([row])
    sink.write([])
    stream.flush()
    return buffer.getvalue().decode("utf-8")


def test_jsonl_says_it_all() -> None:
    lines = written("jsonl", [good(), bad()]).split("\n")
    assert json.loads(lines[0]) == {
        "path": "a/b.png",
        "status": "ok",
        "class_id": 9,
        "label": "Ankle boot",
        "confidence": 0.75,
        "top": [
            {"label": "Ankle boot", "probability": 0.75},
            {"label": "Sandal", "probability": 0.25},
        ],
        "prepared": "frame",
        "error": None,
    }
    assert json.loads(lines[1]) == {
        "path": "a/c.png",
        "status": "error",
        "class_id": None,
        "label": None,
        "confidence": None,
        "top": [],
        "prepared": None,
        "error": "empty file",
    }
    assert lines[2:] == [""]


def test_jsonl_rows_have_the_same_keys_in_the_same_order() -> None:
    first, second = (json.loads(line) for line in written("jsonl", [good(), bad()]).splitlines())
    assert list(first) == list(second)


@pytest.mark.parametrize("path", NAMES)
def test_any_name_comes_back_from_jsonl(path: str) -> None:
    lines = written("jsonl", [good(path), bad(path, f"cannot read {path}")]).split("\n")
    assert len(lines) == 3
    for line in lines[:2]:
        back = json.loads(line)["path"]
        assert back == path
        assert os.fsencode(back) == os.fsencode(path)


def test_jsonl_keeps_readable_names_readable() -> None:
    assert '"é 日本 🥾.png"' in written("jsonl", [good("é 日本 🥾.png")])


def test_csv_parses_back() -> None:
    text = written("csv", [good(), bad()])
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert rows[0] == {
        "path": "a/b.png",
        "status": "ok",
        "class_id": "9",
        "label": "Ankle boot",
        "confidence": "0.75",
        "prepared": "frame",
        "error": "",
        "label_1": "Ankle boot",
        "probability_1": "0.75",
        "label_2": "Sandal",
        "probability_2": "0.25",
    }
    filled = {key: value for key, value in rows[1].items() if value}
    assert filled == {"path": "a/c.png", "status": "error", "error": "empty file"}


@pytest.mark.parametrize("top_k", [1, 2, 10])
def test_csv_rows_are_as_wide_as_the_header(top_k: int) -> None:
    top = tuple(Candidate("Bag", 0.1) for _ in range(top_k))
    row = Prediction("a.png", 8, "Bag", 0.1, top, "product")
    table = list(csv.reader(io.StringIO(written("csv", [row, bad()], top_k), newline="")))
    assert {len(cells) for cells in table} == {7 + 2 * top_k}


@pytest.mark.parametrize("path", NAMES[:-1])
def test_any_utf_8_name_comes_back_from_csv(path: str) -> None:
    text = written("csv", [good(path), bad(path)])
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["path"] for row in table] == [path, path]


def test_csv_shows_other_names_as_escapes() -> None:
    assert r"caf\udce9.png" in written("csv", [good(NAMES[-1])])


@pytest.mark.parametrize("path", NAMES)
def test_text_has_a_line_per_row_and_nothing_that_moves_the_cursor(path: str) -> None:
    text = written("text", [good(path), bad(path, f"damaged:\n{path}")])
    lines = text.split("\n")
    assert len(lines) == 3
    assert not [c for c in "".join(lines) if unicodedata.category(c) in ("Cc", "Cs")]
    assert lines[0].startswith("Ankle boot     75.0%  ")
    assert lines[0].endswith("  (Sandal 25.0%)")
    assert lines[1].startswith("(rejected)")


def test_text_of_one_candidate_has_no_runner_up() -> None:
    row = Prediction("a.png", 9, "Ankle boot", 0.75, TOP[:1], "frame")
    assert written("text", [row]) == "Ankle boot     75.0%  a.png\n"


def test_each_format_has_a_suffix_of_its_own() -> None:
    suffixes = [entry.suffix for entry in FORMATS.values()]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix.startswith(".") for suffix in suffixes)
