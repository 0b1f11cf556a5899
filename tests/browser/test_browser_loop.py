"""Classify photos, correct labels on the page, learn from the saved file, classify again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from process import run, run_here

if TYPE_CHECKING:
    from conftest import OpenPage

KINDS = ("body", "undershirt")
OWN = Path(os.environ.get("FMNIST_DATA_DIR", "")).resolve().parent / "own-classes"


@pytest.mark.skipif(not (OWN / KINDS[0]).is_dir(), reason="needs photos of own classes")
def test_ten_corrections_make_the_model_better(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for kind in KINDS:
        (tmp_path / "mine" / kind).mkdir(parents=True)
        for number, photo in enumerate(sorted((OWN / kind).iterdir())[:35]):
            name = f"{kind}-{photo.name}"
            place = "photos" if number < 30 else f"mine/{kind}"
            shutil.copy(photo, tmp_path / place / name)
    done = run_here("learn", "mine", home=tmp_path)
    assert done.code == 0, done.stderr

    def right() -> dict[str, bool]:
        words = ("classify", "photos", "-m", "mine", "-o", "rows.jsonl", "--report", "labels.html")
        assert run(*words, home=tmp_path).code == 0
        lines = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return {row["path"]: row["path"].startswith(row["label"] + "-") for row in rows}

    before = right()
    wrong = [path for path, is_right in before.items() if not is_right][:10]
    assert len(wrong) == 10
    page = open_page(tmp_path / "labels.html")
    for number, kind in enumerate(KINDS, start=1):
        for path in wrong:
            if path.startswith(kind):
                page.locator(".card", has_text=path).click()
        page.get_by_role("button", name=f"{number} {kind}").click()
    assert "10 corrected" in page.locator("output[name=done]").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save corrected.csv").click()
    download.value.save_as(tmp_path / "corrected.csv")
    words = ("--labels", "corrected.csv", "--root", "photos", "--add", "mine.onnx")
    done = run_here("learn", *words, "-o", "mine.onnx", home=tmp_path)
    assert done.code == 0, done.stderr
    after = right()
    assert len(after) == len(before) == 60
    assert sum(after.values()) >= sum(before.values()) + 8
