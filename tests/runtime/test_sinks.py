from __future__ import annotations

import csv
import io
import json
import os
import pickle
import unicodedata

import pytest

from fmnist_cli.contract import UNKNOWN, Candidate, Prediction, Rejected, Row
from fmnist_cli.sinks import KINDS, kind_of_name, open_line_format

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
    """All that a format writes, after a trip through bytes; in one piece and row by row."""
    format_ = open_line_format(name, top_k)
    whole = format_.header() + format_.lines(rows) + format_.lines([])
    assert whole == format_.header() + "".join(format_.lines([row]) for row in rows)
    return whole.encode("utf-8").decode("utf-8")


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


def test_excel_knows_the_encoding_by_a_mark() -> None:
    assert kind_of_name("rows.Excel.csv") == "excel"
    assert written("excel", [good("é.png")]) == "\ufeff" + written("csv", [good("é.png")])


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
    assert [row["path"].removeprefix("'") for row in table] == [path, path]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "'", "＝"])
def test_csv_cells_are_no_formulas(start: str) -> None:
    name = f"{start}cmd()"
    row = Prediction(name, 9, name, 0.75, (Candidate(name, 0.75),), "frame")
    table = list(csv.reader(io.StringIO(written("csv", [row, bad(name, name)], 1), newline="")))
    cells = [table[1][0], table[1][3], table[1][7], table[2][0], table[2][6]]
    assert cells == [f"'{name}"] * 5


def test_csv_leaves_other_cells_and_numbers_alone() -> None:
    row = Prediction("a=b-c.png", 9, "T-shirt/top", 1e-06, (Candidate("Bag", 1e-06),), "frame")
    assert written("csv", [row], 1).splitlines()[1] == (
        "a=b-c.png,ok,9,T-shirt/top,1e-06,frame,,Bag,1e-06"
    )


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


def test_text_of_an_unknown_picture_shows_the_best_guess() -> None:
    row = Prediction("a.png", None, UNKNOWN, 0.75, TOP, "frame")
    assert (
        written("text", [row]) == "unknown               a.png  (Ankle boot 75.0%, Sandal 25.0%)\n"
    )


def test_unknown_has_no_class() -> None:
    row = Prediction("a.png", None, UNKNOWN, 0.75, TOP, "frame")
    values = json.loads(written("jsonl", [row]))
    assert (values["class_id"], values["label"]) == (None, "unknown")
    assert written("csv", [row]).splitlines()[1].startswith("a.png,ok,,unknown,0.75,frame,,Ankle")


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.lines])
def test_formats_travel_to_workers(name: str) -> None:
    format_ = open_line_format(name, 2)
    copy = pickle.loads(pickle.dumps(format_))  # noqa: S301
    assert copy.lines([good(), bad()]) == format_.lines([good(), bad()])


def test_suffixes_imply_formats() -> None:
    assert kind_of_name("rows.JSONL") == "jsonl"
    assert kind_of_name("a/rows.csv") == "csv"
    assert kind_of_name("rows.xlsx") is None


def test_each_format_has_a_suffix_of_its_own() -> None:
    suffixes = [suffix for kind in KINDS.values() for suffix in kind.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix.startswith(".") for suffix in suffixes)
