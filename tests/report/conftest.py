from __future__ import annotations

from pathlib import Path

import pytest
from reportfiles import Folders, write_all


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Every kind of input; not to be written to."""
    return write_all(tmp_path_factory.mktemp("report"))


@pytest.fixture
def own(tmp_path: Path) -> Folders:
    """The same, to be altered."""
    return write_all(tmp_path)
