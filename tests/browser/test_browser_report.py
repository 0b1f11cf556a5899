"""The page of `fmnist report` in a browser: offline, drawn, clickable, reachable by keyboard."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from reportfiles import NEAR, TITLES, Folders, write_all

from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.report.inputs import Pictures, gather
from fmnist_cli.report.page import make

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PIXELS = """canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]
    .filter((_, at) => at % 4 === 0)"""
BOXES = """plot => [...plot.querySelectorAll('.annotation-text')].map(one => {
    const {left, right, top, bottom} = one.getBoundingClientRect();
    return [left, right, top, bottom];
})"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return write_all(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def report(folders: Folders) -> Path:
    path = folders.results / "report.html"
    made = make(gather(folders.results, folders.models), Pictures.load(folders.data))
    path.write_text(made.html, encoding="utf-8")
    return path


def drawn(page: Page, name: str) -> Locator:
    """The chart, once it is drawn."""
    page.locator(f"#chart-{name}").scroll_into_view_if_needed()
    figure = page.locator(f"#chart-{name}[data-drawn]")
    figure.wait_for()
    return figure


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait for what the page does by and by; its policy forbids to ask it by a text."""
    for _ in range(500):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it never came")


def cell_of(page: Page, true: int, predicted: int) -> Locator:
    where = f'.model:visible button[data-true="{true}"][data-predicted="{predicted}"]'
    return page.locator(where)


def chosen_model(page: Page) -> str:
    value: str = page.locator("#confusion select").input_value()
    return value


def most_confused(folders: Folders, model: str) -> tuple[int, int, int]:
    """True class, predicted class and count of the largest cell off the diagonal."""
    confusion = np.array(folders.read("evaluate-test")["models"][model]["confusion"])
    np.fill_diagonal(confusion, 0)
    true, predicted = np.unravel_index(confusion.argmax(), confusion.shape)
    return int(true), int(predicted), int(confusion.max())


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (390, True)])
def test_all_charts_are_drawn_and_nothing_is_too_wide(
    open_page: Callable[..., Page], report: Path, folders: Folders, width: int, dark: bool
) -> None:
    page = open_page(report, width, dark)
    figures, ready = page.locator("figure.chart"), page.locator("figure.chart[data-drawn]")
    count = figures.count()
    assert count == 13
    assert ready.count() < count  # what is out of sight waits
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
    until(page, lambda: ready.count() == count)
    # Marks in every chart, and none too wide.
    for plot in page.locator(".plot").all():
        assert plot.locator(".point path, path.point, path.js-line").count() > 0
        box = plot.bounding_box()
        assert box is not None
        assert 0 < box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert ink(page) == ("#e8eaed" if dark else "#1a1e23")
    check_accuracy_against_latency(page, folders)
    # On paper: dark on light, and no wider than a sheet.
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    until(page, lambda: ink(page) == "#1a1e23" and widest(page) <= 704)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    until(page, lambda: ink(page) == ("#e8eaed" if dark else "#1a1e23"))


def widest(page: Page) -> float:
    """Width of the widest drawing."""
    found: float = page.evaluate(
        "Math.max(...[...document.querySelectorAll('.main-svg')].map(one => one.clientWidth))"
    )
    return found


def ink(page: Page) -> str:
    """The colour of the words in a chart."""
    colour: str = page.evaluate("document.querySelector('.plot')._fullLayout.font.color")
    return colour


def check_accuracy_against_latency(page: Page, folders: Folders) -> None:
    """Points are where the file says, and no label covers another."""
    plot = page.locator("#chart-pareto .plot")
    traces: list[dict[str, Any]] = plot.evaluate(
        "plot => plot._fullData.map(one => ({name: one.name, x: one.x, y: one.y}))"
    )
    shown = {one["name"]: (one["x"], one["y"]) for one in traces}
    for name, one in folders.read("bench")["models"].items():
        latency, accuracy = one["timing"]["latency"]["p50_ms"], one["quality"]["accuracy"]
        assert shown[name] == ([latency], [accuracy])
    boxes: list[list[float]] = plot.evaluate(BOXES)
    assert len(boxes) == len(TITLES) + len(NEAR)
    for at, (left, right, top, bottom) in enumerate(boxes):
        for other in boxes[:at]:
            apart = right <= other[0] or other[1] <= left or bottom <= other[2] or other[3] <= top
            assert apart


def check_pictures(page: Page, folders: Folders, true: int, predicted: int, count: int) -> None:
    """The panel has the pictures of the cell, the most confident first."""
    result = folders.read("evaluate-test")["models"][chosen_model(page)]
    labels = load_split("test", folders.data)
    said = np.frombuffer(base64.b64decode(result["predictions"]["class_id"]), np.uint8)
    sure = np.frombuffer(base64.b64decode(result["predictions"]["confidence"]), "<u2")
    wanted = np.flatnonzero((labels.labels == true) & (said == predicted))
    assert len(wanted) == count
    panel = page.locator(".model:visible .wrong")
    words = f"{count} labelled {CLASS_NAMES[true]}, predicted {CLASS_NAMES[predicted]}"
    assert words in panel.locator("output").inner_text()
    shown = panel.locator("li").all()
    places = []
    confidences = []
    for item in shown:
        found = re.fullmatch(r"([\d.]+)\s%\s+test (\d+)", item.inner_text().strip())
        assert found is not None
        confidences.append(float(found[1]))
        places.append(int(found[2]))
    assert sorted(places) == wanted.tolist()
    assert confidences == sorted(confidences, reverse=True)
    for place, confidence in zip(places, confidences, strict=True):
        assert abs(confidence - 100 * float(sure[place]) / 65535) <= 0.051
    canvas = shown[0].locator("canvas")
    first = labels.pixels[places[0]].ravel().tolist()
    until(page, lambda: bool(canvas.evaluate(PIXELS) == first))


def test_a_click_on_a_cell_shows_its_pictures(
    open_page: Callable[..., Page], report: Path, folders: Folders
) -> None:
    page = open_page(report)
    models = folders.read("evaluate-test")["models"]
    assert chosen_model(page) == max(models, key=lambda name: models[name]["accuracy"])
    true, predicted, count = most_confused(folders, chosen_model(page))
    cell = cell_of(page, true, predicted)
    assert cell.inner_text() == str(count)
    cell.click()
    assert cell.get_attribute("aria-expanded") == "true"
    check_pictures(page, folders, true, predicted, count)
    cell.click()  # again: away
    assert cell.get_attribute("aria-expanded") == "false"
    assert page.locator(".model:visible .wrong li").count() == 0
    check_choice_of_the_model(page, list(models))
    drawn(page, "counts")
    page.emulate_media(color_scheme="dark")
    until(page, lambda: ink(page) == "#e8eaed")


def check_choice_of_the_model(page: Page, models: list[str]) -> None:
    """One choice for all parts of the page."""
    for name in models:
        page.locator("#surest select").select_option(name)
        assert chosen_model(page) == name
        visible = page.locator("article.model:visible").evaluate_all(
            "all => all.map(one => one.dataset.model)"
        )
        assert visible == [name, name]


def test_the_keyboard_does_the_same(
    open_page: Callable[..., Page], report: Path, folders: Folders
) -> None:
    page = open_page(report, 390)
    true, predicted, count = most_confused(folders, chosen_model(page))
    page.locator("#confusion select").focus()
    page.keyboard.press("Tab")
    focused = "[document.activeElement.dataset.true, document.activeElement.dataset.predicted]"
    start = page.evaluate(focused)
    assert None not in start
    buttons = page.locator(".model:visible .confusion button")
    stops = buttons.evaluate_all("all => all.filter(one => one.tabIndex === 0).length")
    assert stops == 1  # the tabulator goes on behind the matrix
    # Walk over the matrix until the cell is reached, row by row.
    grid = {tuple(map(int, one)) for one in buttons.evaluate_all(
        "all => all.map(one => [one.dataset.true, one.dataset.predicted])"
    )}  # fmt: skip
    steps = {"ArrowDown": (1, 0), "ArrowUp": (-1, 0), "ArrowRight": (0, 1), "ArrowLeft": (0, -1)}

    def beside(at: tuple[int, int], step: tuple[int, int]) -> tuple[int, int] | None:
        row, column = at[0] + step[0], at[1] + step[1]
        while 0 <= row < 10 and 0 <= column < 10:
            if (row, column) in grid:
                return row, column
            row, column = row + step[0], column + step[1]
        return None

    paths: dict[tuple[int, int], list[str]] = {(int(start[0]), int(start[1])): []}
    queue = list(paths)
    for at in queue:
        for key, step in steps.items():
            after = beside(at, step)
            if after is not None and after not in paths:
                paths[after] = [*paths[at], key]
                queue.append(after)
    for key in paths[true, predicted]:
        page.keyboard.press(key)
    assert page.evaluate(focused) == [str(true), str(predicted)]
    page.keyboard.press("Enter")
    check_pictures(page, folders, true, predicted, count)


def test_the_map_shows_pictures(
    open_page: Callable[..., Page], report: Path, folders: Folders
) -> None:
    page = open_page(report)
    figure = drawn(page, "map")
    points = folders.read("data")["embedding"]
    train = {
        int(place): pixels
        for split in ("train", "validation")
        for images in [load_split(split, folders.data)]  # type: ignore[arg-type]
        if images.positions is not None
        for place, pixels in zip(images.positions, images.pixels, strict=True)
    }
    output, canvas = page.locator("#loupe output"), page.locator("#loupe canvas")

    def check() -> None:
        number = int(canvas.get_attribute("data-number") or -1)
        index = points["index"][number]
        label = CLASS_NAMES[points["class_id"][number]]
        assert output.inner_text() == f"{label}, validation {index}"
        pixels = train[index].ravel().tolist()
        until(page, lambda: bool(canvas.evaluate(PIXELS) == pixels))

    check()
    before = output.inner_text()
    figure.locator(".scatterlayer .point").last.hover(force=True)
    until(page, lambda: output.inner_text() != before)
    check()
    slider = page.locator("#loupe input")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert slider.input_value() == "2"
    check()
    ring = figure.locator(".shapelayer path")
    until(page, lambda: ring.count() == 1)
