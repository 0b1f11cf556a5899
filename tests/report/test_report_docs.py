"""docs/report.md and what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from fmnist_cli.cli import build_app
from fmnist_cli.errors import MissingExtraError
from fmnist_cli.report.inputs import KINDS
from fmnist_cli.report.page import plotly

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_options_files_and_commands_are_documented() -> None:
    text = (DOCS / "report.md").read_text(encoding="utf-8")
    command = get_command(build_app("report")).commands["report"]  # type: ignore[attr-defined]
    parameters = [one for one in command.params if one.expose_value]  # others: command-line.md
    options = [name for one in parameters for name in one.opts if name[0] == "-"]
    assert len(options) >= 5
    assert not [name for name in options if name not in text and name not in ("--help", "--output")]
    for kind in KINDS.values():
        assert f"`{kind.usual}`" in text
        assert f"`{kind.command}`" in text


def test_screenshots_are_there_and_small() -> None:
    text = (DOCS / "report.md").read_text(encoding="utf-8")
    names = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(names) >= 5
    for name in names:
        assert 10_000 < (DOCS / name).stat().st_size <= 300_000


def test_without_plotly_the_extra_is_named() -> None:
    assert "Plotly" in plotly()[:200] or "plotly" in plotly()[:200]
    with pytest.raises(MissingExtraError, match=r"fmnist-cli\[report\]"):
        plotly("a_package_that_is_not_there")
