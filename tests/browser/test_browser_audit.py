"""The page of `fmnist data audit`, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from idxfiles import write_idx
from pagechecks import faint, wrong_looks
from process import RunFmnist
from synthetic import images

from fmnist_cli.audit.labels import Judgements
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FILES

if TYPE_CHECKING:
    from conftest import OpenPage
    from playwright.sync_api import Page

WRONG = {"train": {11: 6, 21: 6, 37: 3}, "test": {4: 6, 50: 9}}  # image → what is believed


@pytest.fixture(scope="module")
def page_file(run_fmnist: RunFmnist, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 300 + 100 images five are doubted, and two are there twice."""
    folder = tmp_path_factory.mktemp("audit")
    train, test = images(300, 1), images(100, 2)
    pixels, shown = train.pixels.copy(), test.pixels.copy()
    pixels[220] = np.roll(pixels[200], 1, axis=1)
    shown[5] = pixels[65, :, ::-1]
    for file, array in zip(FILES, (pixels, train.labels, shown, test.labels), strict=True):
        write_idx(folder / file.name, array.astype(np.uint8))
    believed = {"train": train.labels.copy(), "test": test.labels.copy()}
    for split, changes in WRONG.items():
        for index, label in changes.items():
            believed[split][index] = label
    tables = {
        split: np.where(np.arange(10) == labels[:, None], 0.91, 0.01).astype(np.float32)
        for split, labels in believed.items()
    }
    Judgements(tables["train"], tables["test"]).save(folder / "given.npz")
    done = run_fmnist(
        *("data", "audit", "--probabilities", folder / "given.npz"),
        *("-o", folder / "audit", "--data-dir", folder),
    )
    assert done.code == 0, done.stderr
    return folder / "audit" / "audit.html"


def shown(page: Page) -> list[str]:
    """The images among the labels that are to be seen, by alternative text."""
    pictures = page.locator(".issues > .card:visible img").all()
    return [picture.get_attribute("alt") or "" for picture in pictures]


def names(page: Page) -> set[tuple[str, str]]:
    """The same as label and index."""
    words = (alt.replace(",", "").split(" ", 4) for alt in shown(page))
    return {(label, index) for _, _, index, _, label in words}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_looks(open_page: OpenPage, page_file: Path, width: int, dark: bool) -> None:
    page = open_page(page_file, width, dark)
    assert page.locator("img").count() == 5 + 4
    assert wrong_looks(page) == []


def test_filter_by_click(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    told = page.locator("form output")
    assert told.inner_text() == f"{len(shown(page))} images" == "5 images"
    page.get_by_label("Classes").select_option(label="Trouser → Shirt (2)")
    assert names(page) == {("Trouser", "11"), ("Trouser", "21")}
    assert told.inner_text() == "2 images"
    page.get_by_label("Split").select_option("test")
    assert shown(page) == []
    assert told.inner_text() == "0 images"
    page.get_by_role("button", name="Show all").click()
    page.locator("output", has_text="5 images").wait_for()
    assert len(shown(page)) == 5


def test_filter_by_keyboard(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file)
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    assert focused.inner_text() == "Skip to the images"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused.get_attribute("name") == "pair"
    page.keyboard.press("Tab")
    page.keyboard.type("test")
    assert names(page) == {(CLASS_NAMES[index % 10], str(index)) for index in WRONG["test"]}
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("output", has_text="5 images").wait_for()


def test_printed_it_is_light_and_has_no_form(open_page: OpenPage, page_file: Path) -> None:
    page = open_page(page_file, width=794, dark=True)
    page.emulate_media(media="print")
    assert not page.locator("form").is_visible()
    assert faint(page) == []
