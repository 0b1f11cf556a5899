"""The page of `fmnist classify --report`, in a browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pagechecks import faint, without_picture, wrong_looks
from pictures import encoded, frame, smooth
from process import RunFmnist
from tinymodel import card_of

from fmnist_cli.contract import UNKNOWN, Candidate, Prediction, Rejected, Row
from fmnist_cli.sinks.page import PageSink
from fmnist_cli.sources.items import HeldItem, Item, UnreadableItem

if TYPE_CHECKING:
    from conftest import OpenPage
    from playwright.sync_api import Page

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
LABELS = {"Trouser": 12, "Shirt": 30, "Bag": 1, "Ankle boot": 7}


def confidences() -> dict[str, list[float]]:
    """Of the pictures of each label, none twice."""
    rng = np.random.default_rng(5)
    values = iter(rng.permutation(np.linspace(0.31, 0.9999, sum(LABELS.values()))).tolist())
    return {label: [next(values) for _ in range(count)] for label, count in LABELS.items()}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty pictures under four labels, some unknown and rejected, some with awkward names."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    rows: list[Row] = []
    items: list[Item] = []

    def add(name: str, label: str, confidence: float, content: bytes) -> None:
        top = (Candidate(label, confidence), Candidate("Coat", 1 - confidence))
        rows.append(Prediction(name, 0, label, confidence, top, "product"))
        items.append(HeldItem(name, content, "m"))

    for label, values in confidences().items():
        for number, value in enumerate(values):
            photo = smooth(200, 150 + number, 3, seed=number)
            content = encoded(photo, "JPEG") if number % 2 else encoded(frame(number))
            add(f"{label}/{number}.jpg", label, value, content)
    add("a-name-without-a-place-to-break-" * 4, UNKNOWN, 0.2, encoded(frame()))
    add("<b>bold</b>/\u202egnp", UNKNOWN, 0.3, encoded(frame()))
    rows.append(Rejected("broken" * 20, "damaged image"))
    items.append(UnreadableItem("broken" * 20, "damaged image"))
    with PageSink(path, card_of("cnn")) as sink:
        sink.write(rows, items)
    return path


ALL = "52 pictures"


def told(page: Page) -> str:
    """How many pictures the filter shows."""
    return page.locator("output[name=shown]").inner_text()


def labels(page: Page) -> set[str]:
    """Of the cards that are to be seen."""
    return {*page.locator(".card:visible .verdict span:first-child").all_inner_texts()}


def sure(page: Page) -> list[float]:
    """The confidence, in percent, of the cards that are to be seen; unknown ones have none."""
    words = page.locator(".card:visible .verdict span:last-child").all_inner_texts()
    return [float(one.rstrip("%")) for one in words if one]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_looks(open_page: OpenPage, page_file: Path, width: int, dark: bool) -> None:
    page = open_page(page_file, width, dark)
    assert wrong_looks(page) == []
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) < 3 * 128) == dark


def test_the_least_sure_come_first(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    values = [value for of_label in confidences().values() for value in of_label]
    expected = [100 * value for value in sorted(values)]
    assert page.locator(".verdict span:first-child").all_inner_texts()[:2] == [UNKNOWN] * 2
    assert sure(page) == pytest.approx(expected, abs=0.051)
    assert without_picture(page) == []


def test_counts_and_confidence_are_drawn(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    counts = page.locator("section[aria-labelledby=counts] tbody tr")
    drawn = {}
    for row in counts.all():
        label, count, *_ = row.locator("th, td").all_inner_texts()
        box = row.locator("rect").bounding_box()
        drawn[label] = (int(count), box["width"] if box else 0.0)
    assert {label: count for label, (count, _) in drawn.items() if count} == {
        **LABELS,
        "unknown": 2,
    }
    per_picture = drawn["Shirt"][1] / LABELS["Shirt"]
    assert per_picture > 3
    for count, width in drawn.values():
        assert width == pytest.approx(count * per_picture, abs=1)
    tallest = page.locator(".histogram").bounding_box()
    heights = {}
    for column in page.locator(".histogram g").all():
        words = column.locator("title").text_content() or ""
        box = column.locator("rect").last.bounding_box()
        heights[words] = box["height"] if box else 0.0
    assert len(heights) == 20
    numbers = {words: int(re.findall(r": (\d+) picture", words)[0]) for words in heights}
    most = max(numbers.values())
    assert page.locator(".scale").inner_text() == f"{most} pictures"
    for words, number in numbers.items():
        assert heights[words] == pytest.approx(number / most * (tallest or {})["height"], abs=3)
    page.get_by_text("As numbers").click()
    table = page.locator("table.numbered tbody tr").all_inner_texts()
    assert [row.split("\t") for row in table] == [
        [words.split(":")[0], str(number)] for words, number in numbers.items() if number
    ]


def test_filter_by_click(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    assert labels(page) == {*LABELS, "unknown"}
    assert told(page) == ALL
    page.get_by_role("combobox", name="Label", exact=True).select_option(label="Bag")
    assert labels(page) == {"Bag"}
    assert told(page) == "1 picture"
    page.get_by_role("button", name="Show all").click()
    page.locator("output", has_text=ALL).wait_for()
    assert labels(page) == {*LABELS, "unknown"}
    page.get_by_label("Confidence from").fill("90")
    values = sure(page)
    assert values
    assert min(values) >= 90
    assert told(page) == f"{len(values)} pictures"
    page.get_by_role("spinbutton", name="to %", exact=True).fill("90")
    assert sure(page) == []
    assert told(page) == "0 pictures"


def test_filter_by_keyboard(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    assert focused.inner_text() == "Skip to the pictures"
    assert (focused.bounding_box() or {})["x"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused.get_attribute("name") == "label"
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.type("Ankle")
    assert labels(page) == {"Ankle boot"}
    page.keyboard.press("Tab")
    page.keyboard.type("60")
    assert min(sure(page)) >= 60
    page.keyboard.press("Enter")  # sends nothing, loads nothing
    assert min(sure(page)) >= 60
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("output", has_text=ALL).wait_for()
    # One of the cards is where the keyboard is; arrows go to the others.
    page.locator("summary", has_text="How to correct").focus()
    page.keyboard.press("Tab")
    assert focused.get_attribute("role") == "option"
    page.keyboard.press("ArrowRight")
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"


def test_a_link_leads_to_its_label_whatever_the_filter(
    open_page: OpenPage, page_file: Path
) -> None:
    page = open_page(page_file, width=390)
    page.get_by_role("combobox", name="Label", exact=True).select_option(label="Bag")
    page.get_by_role("link", name="Ankle boot").press("Enter")
    page.locator("output", has_text="7 pictures").wait_for()
    assert labels(page) == {"Ankle boot"}
    box = page.get_by_role("heading", name="Pictures, the least sure first").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 900


def test_printed_it_is_light_and_has_no_form(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file, width=794, dark=True)
    page.emulate_media(media="print")
    assert page.locator("form:visible, nav:visible, .tools:visible").count() == 0
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert max(map(int, re.findall(r"\d+", ink))) < 64
    assert faint(page) == []


def test_the_page_of_the_samples(
    open_page: OpenPage, run_fmnist: RunFmnist, exported_dir: Path, tmp_path: Path
) -> None:
    model = ("--model", "cnn", "--models-dir", exported_dir)
    done = run_fmnist("classify", SAMPLES, "--report", tmp_path / "page.html", *model)
    assert done.code == 0, done.stderr
    page = open_page(tmp_path / "page.html")
    assert page.title() == "13 pictures labelled by cnn"
    assert page.locator(".card").count() == 13
    assert page.locator("img.original").count() > 0
    assert wrong_looks(page) == []
