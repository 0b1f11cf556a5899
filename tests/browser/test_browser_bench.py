"""The page of `fmnist bench`, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bench_documents import document, result
from pagechecks import wrong_looks

from fmnist_cli.bench.tables import page

if TYPE_CHECKING:
    from conftest import OpenPage


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "bench.html"
    models = {"slow": result(3.0), "quick": result(1.0), "unknown": result(2.0, quality=None)}
    path.write_text("".join(page(document(models))), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_looks(open_page: OpenPage, page_file: Path, width: int, dark: bool) -> None:
    assert wrong_looks(open_page(page_file, width, dark)) == []


def test_a_head_sorts_its_column_and_what_was_not_measured_stays_last(
    open_page: OpenPage, page_file: Path
) -> None:
    opened = open_page(page_file)
    speed = opened.locator("table").nth(1)
    rows = speed.locator("tbody th")
    speed.get_by_role("button", name="p50 ms").click()
    assert rows.all_inner_texts() == ["slow", "unknown", "quick"]
    speed.get_by_role("button", name="p50 ms").click()
    assert rows.all_inner_texts() == ["quick", "unknown", "slow"]
    speed.get_by_role("button", name="model").click()
    assert rows.all_inner_texts() == ["slow", "quick", "unknown"]
    quality = opened.locator("table").first
    quality.get_by_role("button", name="accuracy").click()
    assert quality.locator("tbody th").all_inner_texts()[-1] == "unknown"
