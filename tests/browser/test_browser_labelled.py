"""The page of `fmnist evaluate --data`, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pagechecks import wrong_looks
from photofolders import write_photos
from process import RunFmnist

if TYPE_CHECKING:
    from conftest import OpenPage


@pytest.fixture(scope="module")
def page_file(
    run_fmnist: RunFmnist, exported_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two models on two folders, and a file that is no picture."""
    folder = tmp_path_factory.mktemp("labelled")
    write_photos(folder / "mine", {"coat": 20, "dress": 20})
    (folder / "mine" / "coat" / f"{'long-' * 20}name.png").write_bytes(b"no picture")
    done = run_fmnist(
        *("evaluate", "--data", folder / "mine", "--report", folder / "wrong.html"),
        *("-m", "cnn", "-m", exported_dir / "cnn.onnx", "--models-dir", exported_dir),
    )
    assert done.code == 3, done.stderr
    return folder / "wrong.html"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_looks(open_page: OpenPage, page_file: Path, width: int, dark: bool) -> None:
    page = open_page(page_file, width, dark)
    assert page.locator(".card").count() > 14
    for summary in page.locator("summary").all():
        if summary.locator("xpath=..").get_attribute("open") is None:
            summary.click()
    assert wrong_looks(page) == []
