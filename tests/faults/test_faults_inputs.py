"""What the command line names, and is not there."""

from __future__ import annotations

from pathlib import Path

from faulty import Faulty


def test_empty_folder(fmnist: Faulty, tmp_path: Path) -> None:
    """exit 1, one line that names the folder"""
    (tmp_path / "empty").mkdir()
    outcome = fmnist("classify", "empty")
    assert outcome.code == 1
    assert "no pictures found in empty" in outcome.said
