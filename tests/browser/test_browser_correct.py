"""Correcting labels on the page of `fmnist classify --report`, in a browser."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pagechecks import wrong_looks
from pictures import encoded, frame
from tinymodel import card_of

from fmnist_cli.contract import UNKNOWN, Candidate, Prediction, Row
from fmnist_cli.sinks.base import original
from fmnist_cli.sinks.page import PageSink
from fmnist_cli.sources.items import HeldItem, Item

if TYPE_CHECKING:
    from conftest import OpenPage
    from playwright.sync_api import Page

AWKWARD = [
    'with "quotes", and a comma.png',
    "two\nlines\r\n.png",
    "=cmd|' /C calc'!A0.png",
    "+1.png",
    "-1.png",
    "@sum.png",
    "＝wide.png",
    "'apostrophe.png",
    "\ttab.png",
    os.fsdecode(b"caf\xe9.png"),
    "back\\udce9slash\\u005c.png",
    "\u202egnp.exe",
    "</script><b>\u2028.png",
    "emoji \N{PILE OF POO}.png",
]
COUNT = 260  # more than a page of the page
PER_PAGE = 200
LABELS = ("Shirt", "Bag", "Dress")


def path_of(number: int) -> str:
    return AWKWARD[number] if number < len(AWKWARD) else f"{number}.png"


def written(path: Path, count: int) -> Path:
    """A page of pictures whose confidence rises with their number."""
    rows: list[Row] = []
    items: list[Item] = []
    for number in range(count):
        sure = round(0.3 + 0.6 * number / COUNT, 6)
        label = LABELS[number % 3]
        rows.append(Prediction(path_of(number), 0, label, sure, (Candidate(label, sure),), "frame"))
        items.append(HeldItem(path_of(number), encoded(frame(number)), "m"))
    # Two without a label.
    top = (Candidate("Bag", 0.95),)
    rows += [Prediction(f"u{n}", None, UNKNOWN, 0.95, top, "frame") for n in (1, 2)]
    items += [HeldItem(f"u{n}", encoded(frame()), "m") for n in (1, 2)]
    with PageSink(path, card_of("cnn")) as sink:
        sink.write(rows, items)
    return path


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("correct") / "page.html", COUNT)


def verdicts(page: Page) -> list[str]:
    return page.locator(".card .verdict span:first-child").all_inner_texts()


def told(page: Page) -> str:
    """How many are selected, corrected and confirmed."""
    return page.locator("output[name=done]").inner_text()


def marks(page: Page) -> dict[int, str]:
    """Of the cards in the document, by place."""
    found = page.locator(".card").evaluate_all("all => all.map((one) => one.dataset.mark)")
    return {place: mark for place, mark in enumerate(found) if mark != "none"}


def selected(page: Page) -> list[int]:
    found = page.locator(".card").evaluate_all("all => all.map((one) => one.ariaSelected)")
    return [place for place, one in enumerate(found) if one == "true"]


def saved(page: Page, folder: Path) -> list[dict[str, str]]:
    """The rows of the file that the page writes."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save corrected.csv").click()
    assert download.value.suggested_filename == "corrected.csv"
    download.value.save_as(folder / "corrected.csv")
    with (folder / "corrected.csv").open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file, strict=True)]


def test_by_mouse(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    cards = page.locator(".card")
    assert told(page) == "0 selected, 0 corrected, 0 confirmed"
    # No name turns the text around it, or hides in it.
    names = page.locator(".card .path").all_inner_texts()
    assert "\\u202egnp.exe" in names
    assert all(name.isprintable() for name in names)
    page.get_by_role("button", name="2 Trouser").click()  # of nothing
    assert told(page) == "Select pictures first"
    cards.nth(1).click()
    assert told(page).startswith("1 selected")
    page.get_by_role("button", name="2 Trouser").click()
    assert verdicts(page)[:3] == ["Shirt", "Trouser", "Dress"]
    assert "corrected, was Bag 30.2%" in cards.nth(1).inner_text()
    # A range, one of it dropped again, and one more.
    cards.nth(3).click()
    cards.nth(6).click(modifiers=["Shift"])
    cards.nth(4).click()
    cards.nth(9).click()
    assert selected(page) == [3, 5, 6, 9]
    page.get_by_role("button", name="Right as it is").click()
    assert marks(page) == {1: "corrected", **dict.fromkeys([3, 5, 6, 9], "confirmed")}
    assert told(page) == "0 selected, 1 corrected, 4 confirmed"
    # The model's own label is no correction; one that no class has is.
    cards.nth(2).click()
    page.get_by_role("button", name="4 Dress").click()
    cards.nth(2).click()
    cards.nth(10).click()
    box = page.get_by_label("Other label")
    box.fill(" Blouse ")
    page.get_by_role("button", name="Give label").click()
    assert [verdicts(page)[place] for place in (2, 10)] == ["Blouse", "Blouse"]
    assert box.input_value() == ""
    assert told(page) == "0 selected, 3 corrected, 4 confirmed"
    assert wrong_looks(page) == []
    for left in ("0 selected, 1 corrected, 5 confirmed", "0 selected, 1 corrected, 4 confirmed"):
        page.get_by_role("button", name="Undo").click()
        assert told(page) == left
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    assert page.get_by_role("button", name="Undo").is_disabled()
    assert marks(page) == {}


def test_by_keyboard(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    press = page.keyboard.press
    page.locator(".card").first.focus()
    press("3")  # the first, and on to the next
    assert verdicts(page)[:2] == ["Pullover", "Bag"]
    assert selected(page) == []
    press("r")
    press("ArrowRight")
    press("Shift+ArrowRight")
    press("Shift+ArrowRight")
    assert selected(page) == [3, 4, 5]
    press("0")
    assert verdicts(page)[2:7] == ["Dress", *["Ankle boot"] * 3, "Shirt"]
    assert told(page) == "0 selected, 4 corrected, 1 confirmed"
    press("u")
    assert told(page) == "0 selected, 1 corrected, 1 confirmed"
    press("Control+z")
    assert marks(page) == {0: "corrected"}
    # Down is the card below, whatever the width; the box takes a new label and gives back.
    press("ArrowDown")
    box = page.locator(":focus").bounding_box()
    before = page.locator(".card").nth(5).bounding_box()
    assert box is not None
    assert before is not None
    assert (box["x"], box["y"] > before["y"]) == (before["x"], True)
    press("l")
    page.keyboard.type("Blouse")
    press("Enter")
    assert "Blouse" in page.locator(":focus .verdict").inner_text()
    press(" ")
    assert told(page).startswith("1 selected")
    press("Escape")
    assert told(page).startswith("0 selected")
    press("a")
    assert told(page).startswith(f"{COUNT + 2} selected")
    # From the last card of a page on to the next page.
    press("Escape")
    page.locator(".card").last.click()
    press("ArrowRight")
    assert page.locator(".pager output").inner_text() == f"201 to {COUNT + 2} of {COUNT + 2}"
    assert page.locator(":focus .path").inner_text() == path_of(PER_PAGE)
    press("ArrowLeft")
    assert page.locator(":focus .path").inner_text() == path_of(PER_PAGE - 1)


def test_filter_and_pages(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    assert page.locator(".card").count() == PER_PAGE
    page.get_by_role("button", name="Next").click()
    assert page.locator(".card").count() == COUNT + 2 - PER_PAGE
    assert page.get_by_role("button", name="Next").is_disabled()
    label = page.get_by_role("combobox", name="Label", exact=True)
    label.select_option("Bag")
    assert {*verdicts(page)} == {"Bag"}
    assert not page.get_by_role("button", name="Next").is_visible()
    page.get_by_role("button", name="Select all").click()
    page.get_by_role("button", name="1 T-shirt/top").click()
    count = len(range(1, COUNT, 3))
    assert told(page) == f"0 selected, {count} corrected, 0 confirmed"
    # What was shown stays until the filter is used again, which then knows the new labels.
    assert {*verdicts(page)} == {"T-shirt/top"}
    label.select_option("T-shirt/top")
    assert page.locator(".card").count() == count
    page.get_by_label("Confidence from").fill("50")
    page.get_by_role("spinbutton", name="to %", exact=True).fill("60")
    sure = page.locator(".card .soft").all_inner_texts()
    assert 10 < len(sure) < 20
    assert all(50 <= float(one.split()[-1][:-1]) <= 60 for one in sure)
    # What the filter does not show is not selected any more.
    page.get_by_role("button", name="Select all").click()
    page.get_by_role("button", name="Show all").click()
    page.locator("output", has_text=f"{COUNT + 2} pictures").wait_for()
    assert told(page).startswith("0 selected")
    page.get_by_role("combobox", name="Mark").select_option("corrected")
    assert page.locator("output[name=shown]").inner_text() == f"{count} pictures"


def test_a_reload_loses_nothing(open_page: OpenPage, page_file: Path, tmp_path: Path) -> None:
    page = open_page(page_file)
    page.locator(".card").nth(3).click()
    page.get_by_label("Other label").fill("Blouse")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    page.reload()
    assert marks(page) == {3: "corrected", 4: "confirmed"}
    assert verdicts(page)[3] == "Blouse"
    assert not page.locator("#unsaved").is_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    page.reload()
    assert marks(page) == {}
    # Another run is another page, wherever it lies.
    page.locator(".card").nth(3).click()
    page.get_by_role("button", name="2 Trouser").click()
    page.goto(written(tmp_path / "page.html", COUNT - 1).as_uri())
    assert marks(page) == {}
    page.goto(written(tmp_path / "page.html", COUNT).as_uri())
    assert marks(page) == {3: "corrected"}


def test_without_storage_the_page_says_so(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    page.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('forbidden') }})"
    )
    page.goto(page_file.as_uri())
    assert page.locator("#unsaved").is_visible()
    page.locator(".card").nth(3).click()
    page.get_by_role("button", name="2 Trouser").click()
    assert marks(page) == {3: "corrected"}


def test_the_file(open_page: OpenPage, page_file: Path, tmp_path: Path) -> None:
    page = open_page(page_file)
    for place in range(1, len(AWKWARD)):
        page.locator(".card").nth(place).click()
    page.get_by_label("Other label").fill('=1+1, "x"')
    page.keyboard.press("Enter")
    page.locator(".card").first.click()
    page.get_by_role("button", name="Right as it is").click()
    page.locator(".card").nth(len(AWKWARD)).click()
    page.get_by_label("Other label").fill(UNKNOWN)
    page.keyboard.press("Enter")
    rows = saved(page, tmp_path)
    assert [*rows[0]] == ["path", "label", "predicted", "confidence", "mark"]

    def text(cell: str) -> str:  # the rule of the command's own CSV
        return original(cell[1:] if cell.startswith("'") else cell)

    kept = [number for number in range(COUNT) if number != len(AWKWARD)]
    assert [text(row["path"]) for row in rows] == [path_of(number) for number in kept]
    assert {text(row["label"]) for row in rows[1 : len(AWKWARD)]} == {'=1+1, "x"'}
    assert [row["mark"] for row in rows[: len(AWKWARD) + 1]] == [
        "confirmed",
        *["corrected"] * (len(AWKWARD) - 1),
        "",
    ]
    assert [row["predicted"] for row in rows] == [LABELS[number % 3] for number in kept]
    assert all(row["label"] == row["predicted"] for row in rows[len(AWKWARD) :])
    sure = [round(0.3 + 0.6 * number / COUNT, 6) for number in kept]
    assert [float(row["confidence"]) for row in rows] == sure
    # A spreadsheet takes none of it for a formula.
    assert not [
        cell for row in rows for cell in row.values() if cell.startswith((*"=+-@＝\t\r\n",))
    ]
    hint = page.locator("#saved").inner_text()
    assert f"{COUNT - 1} pictures: {len(AWKWARD) - 1} corrected, 1 confirmed" in hint
    assert "3 labelled unknown are left out" in hint
    assert "fmnist learn --labels corrected.csv --root FOLDER" in hint
    page.get_by_label("only marked").check()
    assert len(saved(page, tmp_path)) == len(AWKWARD)


def test_without_a_script_the_least_sure_are_there(
    browser, page_file: Path, complaints: list[str]
) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(page_file.as_uri())
    assert page.locator(".card").count() == 28
    assert page.locator("noscript p").is_visible()
    assert not page.locator("form").first.is_visible()
    context.close()
