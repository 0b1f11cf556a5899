"""Accuracy over folders, where several classes, or none, may be right."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fmnist_cli.contract import Rejected
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.html.contact_sheet import Shown
from fmnist_cli.labelled.evaluation import (
    FolderEvaluation,
    Strangeness,
    confusion_rows,
    evaluate_folders,
    folder_rows,
    unknown_words,
)
from fmnist_cli.labelled.page import page
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import FolderClasses, Labelled

NAMES = ("Coat", "Bag", "Boot", "<Shoe>")
# Two coats, one taken for a bag; three shoes, one taken for a coat; two hats, which have no class.
MEMBERS = np.array([0, 0, 1, 1, 1, 2, 2])
SAID = np.array([0, 1, 2, 3, 0, 1, 1])


def found() -> LabelledPictures:
    return LabelledPictures(
        labelled=Labelled("photos", ()),
        spec=FRAME_SPEC,
        mode="auto",
        folders=("coat", "footwear", "hat"),
        pixels=np.zeros((7, 28, 28), np.uint8),
        members=MEMBERS,
        paths=tuple(f"f/{number}.png" for number in range(7)),
        prepared=("frame",) * 7,
        rejected=(Rejected("hat/<bad>.png", "empty file"),),
    )


def evaluated(novelty: list[float] | None = None) -> FolderEvaluation:
    probabilities = np.full((7, 4), 0.1, np.float32)
    probabilities[np.arange(7), SAID] = 0.7
    classes = FolderClasses(NAMES, {"coat": (0,), "footwear": (2, 3), "hat": ()})
    values = np.array(novelty or [], np.float32)
    asked = None if novelty is None else Strangeness(values, values > 0.5)
    return evaluate_folders(found(), classes, probabilities, asked)


def test_any_of_several_classes_is_right_and_unknown_folders_are_left_out() -> None:
    result = evaluated()
    assert result.images == 5
    assert result.accuracy == pytest.approx(3 / 5)
    assert result.macro_accuracy == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert [one.right for one in result.folders] == [1, 2, None]
    assert [one.mistaken for one in result.folders] == [("Bag", 1), ("Coat", 1), ("Bag", 2)]
    assert result.wrong.tolist() == [False, True, False, False, True, False, False]
    assert result.to_json()["confusion"]["footwear"] == {"Boot": 1, "<Shoe>": 1, "Coat": 1}
    assert result.to_json()["folders"]["hat"]["classes"] == ["unknown"]
    assert unknown_words(result) == (
        'left out of the accuracy: 2 pictures of hat, which mean "unknown"'
    )


def test_the_unknown_are_counted_where_that_is_asked() -> None:
    result = evaluated([0.9, 0, 0, 0, 0, 0.6, 0.5])
    assert result.accuracy == pytest.approx(3 / 5)  # of the labels, whatever is called unknown
    assert result.unknown is not None
    assert result.unknown.recognised == 0.5
    assert result.unknown.wrongly_unknown == pytest.approx(1 / 5)
    assert result.unknown.accuracy == pytest.approx(2 / 5)
    assert result.unknown.auroc == pytest.approx(8 / 10)
    assert [one.unknown for one in result.folders] == [1, 0, 1]
    assert result.wrong.tolist() == [True, True, False, False, True, False, True]
    assert "50.0% of the 2 that have none" in unknown_words(result)


def test_tables_have_a_row_per_folder() -> None:
    rows = folder_rows(evaluated())
    assert rows[1] == ("coat", "1 of 2", "50.0%", "9%–91%", "Bag (1)")
    assert rows[3] == ("hat", "– of 2", "–", "–", "Bag (2)")
    asked = folder_rows(evaluated([0.9, 0, 0, 0, 0, 0.6, 0.5]))
    assert [row[4] for row in asked] == ["unknown", "1", "0", "1"]
    rows = confusion_rows(evaluated())
    assert rows[0][1:] == ("Coat", "Bag", "Boot", "<Sho")
    assert rows[2] == ("footwear", "1", "0", "1", "1")


def test_the_page_shows_what_is_wrong_and_no_markup_of_names() -> None:
    drawn: list[str] = []

    def draw(path: str, prepared: str) -> list[Shown]:
        drawn.append(f"{path} {prepared}")
        return [Shown("data:image/png;base64,AAAA", path, "frame alone")]

    results = {"one": evaluated(), "two": evaluated([0.9, 0, 0, 0, 0, 0.6, 0.5])}
    text = "".join(page(found(), results, draw))
    assert drawn == [f"f/{number}.png frame" for number in (0, 1, 4, 6)]
    assert "<Shoe>" not in text
    assert "&lt;bad&gt;" in text
    assert "right would be: Boot or &lt;Shoe&gt;" in text
    assert "two: unknown (Coat)" in text
    assert "http" not in text.replace("http-equiv", "")


def test_the_page_counts_what_is_called_unknown_apart_from_wrong_labels() -> None:
    results = {"one": evaluated([0.9, 0, 0, 0, 0, 0.6, 0.5])}
    text = "".join(page(found(), results, lambda *_: []))
    assert '<th scope="col">right label</th><th scope="col">called unknown</th>' in text
    # The first coat has the right label, and was called unknown.
    told = re.findall(r'<span class="soft">(.*)</span></h2>', text)
    assert told == ["1 wrong, 1 called unknown of 2", "1 wrong of 3", "1 wrong of 2"]
