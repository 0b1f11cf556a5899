"""That the other tests here would notice what they say is not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from pagechecks import wrong_looks

POLICY = "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


def written(folder: Path, content: str) -> Path:
    path = folder / "page.html"
    path.write_text(f"<!DOCTYPE html><meta charset='utf-8'>{content}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<p>calm</p>", []),
        ("<script>console.error('broken')</script>", ["console: broken"]),
        ("<script>missing()</script>", ["exception: missing is not defined"]),
        ("<script src='gone.js'></script>", ["console: Failed to load resource"]),
        (f"{POLICY}<script>alert()</script>", ["policy script-src-elem forbids inline"]),
        ("<img src='http://example.invalid/a.png' alt=''>", ["request: http://example.invalid"]),
    ],
    ids=["calm", "console", "exception", "missing file", "policy", "request"],
)
def test_what_a_page_complains_about_is_noticed(
    tmp_path: Path, open_page, complaints: list[str], content: str, expected: list[str]
) -> None:
    open_page(written(tmp_path, content)).wait_for_load_state("networkidle")
    noticed = "\n".join(complaints)
    complaints.clear()
    assert bool(noticed) == bool(expected)
    assert all(word in noticed for word in expected), noticed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"<p id='a'><a href='#a'>calm</a><img src='{DOT}' alt='a dot'></p>", ""),
        ("<p style='color:#999'>grey on white</p>", "faint: grey on white: 2.85"),
        ("<div style='background:#000'><p style='color:#222'>night</p></div>", "faint: night"),
        ("<details><p style='color:#999'>folded</p></details>", "faint: folded"),
        ("<p style='width:500px'>too wide</p>", "overflowing: P too wide"),
        (f"<img src='{DOT}'>", "without_picture: <img"),
        ("<img src='data:image/png;base64,AAAA' alt='broken'>", "without_picture: broken"),
        ("<a href='#gone'>there</a>", "leading_nowhere: gone"),
        ("<p id='a'></p><p id='a'></p>", "leading_nowhere: a"),
    ],
)
def test_what_looks_wrong_is_noticed(
    tmp_path: Path, open_page, content: str, expected: str
) -> None:
    found = wrong_looks(open_page(written(tmp_path, content), width=390))
    assert bool(found) == bool(expected), found
    assert expected in "\n".join(found)
