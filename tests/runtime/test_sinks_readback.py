"""What a format writes it reads back, row for row and byte for byte."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist_cli.contract import Candidate, Prediction, Rejected, Row
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.sinks import open_line_format
from fmnist_cli.sinks.base import encodable, original

AWKWARD = [
    "=cmd()",
    "'",
    "''=a",
    '"',
    ",",
    "\n",
    "\r\n",
    "\u2028",
    "\x85",
    "\\udce9",
    "\\u005c",
    "\\",
]
AWKWARD += ["caf\udce9", "\\\udce9", "\ufeff", "", "🥾", "-1", "error", "null", "\x1b[2J"]
NAMES = st.one_of(
    st.lists(st.sampled_from(AWKWARD), max_size=4).map("".join),
    st.binary(max_size=12).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
)
PROBABILITIES = st.one_of(
    st.sampled_from([0.0, 1.0, 1e-06, 0.1 + 0.2]), st.floats(0, 1).map(lambda p: round(p, 6))
)
LABELS = st.one_of(st.sampled_from(["T-shirt/top", "unknown"]), NAMES)
TOP = st.lists(st.builds(Candidate, LABELS, PROBABILITIES), max_size=3).map(tuple)


def rows_of(models: st.SearchStrategy[str | None]) -> st.SearchStrategy[list[Row]]:
    good = st.builds(
        Prediction,
        NAMES,
        st.one_of(st.none(), st.integers(0, 9)),
        LABELS,
        PROBABILITIES,
        TOP,
        st.sampled_from(["frame", "product"]),
        models,
        st.none(),
    )
    return st.lists(st.one_of(good, st.builds(Rejected, NAMES, NAMES)), max_size=6)


ROWS = rows_of(st.none())
ROWS_OF_MODELS = rows_of(st.one_of(st.sampled_from(["resnet", "=photo"]), NAMES))


@pytest.mark.parametrize("models", [False, True])
@pytest.mark.parametrize("name", ["jsonl", "csv", "excel"])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_reading_is_the_inverse_of_writing(name: str, models: bool, data: st.DataObject) -> None:
    rows = data.draw(ROWS_OF_MODELS if models else ROWS)
    format_ = open_line_format(name, 3, models)
    text = format_.header() + format_.lines(rows)
    with TemporaryDirectory() as folder:
        path = Path(folder, "rows")
        path.write_bytes(text.encode())
        back = list(format_.read(path))
    assert back == rows
    assert format_.header() + format_.lines(back) == text


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=NAMES)
def test_every_name_survives_utf_8(text: str) -> None:
    assert original(encodable(text).encode().decode()) == text


@pytest.mark.parametrize("name", ["jsonl", "csv", "excel"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) * 2 // 3],
        lambda text: text[:-1] + "{nonsense}\n",
        lambda text: text.replace("ok", "fine"),
        lambda text: text.replace("0.75", '"much"'),
        lambda text: text + "\n",
        lambda text: text.replace("a.png", "\udce9"),
    ],
)
def test_a_broken_line_is_named(name: str, damage, tmp_path: Path) -> None:
    format_ = open_line_format(name, 1)
    rows = [Prediction("a.png", 9, "Bag", 0.75, (Candidate("Bag", 0.75),), "frame")] * 2
    path = tmp_path / "rows.txt"
    broken = damage(format_.header() + format_.lines(rows))
    path.write_bytes(broken.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"rows\.txt(, line \d| is cut off)"):
        list(format_.read(path))


def test_the_line_number_is_that_of_the_line(tmp_path: Path) -> None:
    format_ = open_line_format("jsonl", 1)
    path = tmp_path / "rows.jsonl"
    path.write_text(format_.lines([Rejected("a", "b")] * 4) + "[]\n")
    with pytest.raises(DataError, match="line 5"):
        list(format_.read(path))


@pytest.mark.parametrize("name", ["jsonl", "csv", "excel"])
def test_a_missing_file_is_an_error_in_words(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*No such file"):
        list(open_line_format(name, 1).read(tmp_path / "rows"))


def test_other_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("name,price\nboot,3\n")
    with pytest.raises(DataError, match="the columns are not those of results"):
        list(open_line_format("csv", 3).read(path))


def test_text_is_not_read_back(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write JSONL or CSV"):
        open_line_format("text", 3).read(tmp_path / "rows.txt")
