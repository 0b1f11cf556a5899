"""Fixtures of the data tests: small synthetic data sets and a folder without surroundings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from idxfiles import write_idx

from fmnist_cli.data.fashion_mnist import FILES

MakeData = Callable[..., Path]


@pytest.fixture
def make_data() -> MakeData:
    """Writes the four files with random images; ``gz`` or unpacked."""

    def make(
        folder: Path, *, train: int = 240, test: int = 30, gz: bool = True, seed: int = 7
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        for images, labels, count in (
            (FILES[0], FILES[1], train),
            (FILES[2], FILES[3], test),
        ):
            pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            classes = rng.permutation(np.arange(count) % 10).astype(np.uint8)
            write_idx(folder / (images.name if gz else images.unpacked_name), pixels)
            write_idx(folder / (labels.name if gz else labels.unpacked_name), classes)
        return folder

    return make


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, home and cache, and no FMNIST_DATA_DIR."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.delenv("FMNIST_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def real_data_dir() -> Path:
    """The official files, where FMNIST_DATA_DIR has them; skips without."""
    named = os.environ.get("FMNIST_DATA_DIR")
    folder = Path(named) if named else None
    if folder is None or any(file.locate(folder) is None for file in FILES):
        pytest.skip("needs the official data: set FMNIST_DATA_DIR to the folder of the four files")
    return folder
