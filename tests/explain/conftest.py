"""The shipped small network, and the synthetic data set as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import write_files

from fmnist_cli.inference.models import open_model, shipped_dir
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.training.restore import restore


@pytest.fixture(scope="session")
def cnn() -> PixelClassifier:
    """The shipped `cnn`; not to be written to."""
    return restore(open_model("cnn", shipped_dir()))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 synthetic test images."""
    return write_files(tmp_path_factory.mktemp("data"), train=40, test=60)
