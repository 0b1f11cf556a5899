"""The native model behind an exported file, and runs that are not behind it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from silent import SilentReporter
from synthetic import data, images

from fmnist_cli.errors import ModelError
from fmnist_cli.export.native import find_native
from fmnist_cli.export.run import export
from fmnist_cli.inference.session import Session
from fmnist_cli.inference.store import ModelFile, open_model, shipped_dir
from fmnist_cli.models.registry import SklearnRecipe, get_spec
from fmnist_cli.training.job import Job
from fmnist_cli.training.record import RECORD_FILE
from fmnist_cli.training.run import train

PIXELS = images(20, seed=5).pixels


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs and graph of a tiny logistic regression, in ``runs`` and ``exported``."""
    folder = tmp_path_factory.mktemp("project")
    spec = get_spec("logreg")
    train(
        Job(spec, "quick", SklearnRecipe({"max_iter": 20}), seed=0),
        data(),
        folder / "runs" / "logreg",
        device=torch.device("cpu"),
        resume=False,
        reporter=SilentReporter(),
    )
    splits = {"test": images(50, seed=3), "validation": images(50, seed=2)}
    export(spec, folder / "runs" / "logreg", folder / "exported", splits)
    return folder


def difference(file: ModelFile, runs: Path) -> float:
    native = find_native(file, runs, torch.get_num_threads())
    return float(np.abs(native.infer(PIXELS) - Session(file)(PIXELS)).max())


def test_a_network_needs_no_run(tmp_path: Path) -> None:
    file = open_model("cnn", shipped_dir())
    assert find_native(file, tmp_path, torch.get_num_threads()).framework == "PyTorch"
    assert difference(file, tmp_path) < 1e-5


def test_a_classical_model_comes_from_its_run(folder: Path) -> None:
    file = open_model("logreg", folder / "exported")
    threads = torch.get_num_threads()
    assert find_native(file, folder / "runs", threads).framework == "scikit-learn"
    assert difference(file, folder / "runs") < 3e-5


def test_without_its_run_there_is_none(folder: Path, tmp_path: Path) -> None:
    file = open_model("logreg", folder / "exported")
    with pytest.raises(ModelError, match="only networks can be read back from their graphs"):
        find_native(file, tmp_path, torch.get_num_threads())


def test_another_run_is_refused(folder: Path) -> None:
    file = open_model("logreg", folder / "exported")
    assert file.entry is not None
    training = {**file.entry.training, "finished": "2020-01-01T00:00:00+00:00"}
    other = file._replace(entry=file.entry._replace(training=training))
    with pytest.raises(ModelError, match=r"holds another run .*\(finished differs\)"):
        find_native(other, folder / "runs", torch.get_num_threads())


def test_a_manifest_without_a_recipe_is_told(exported_dir: Path, tmp_path: Path) -> None:
    file = open_model("cnn", exported_dir)
    with pytest.raises(ModelError, match="has no recipe; export the model again"):
        find_native(file, tmp_path, torch.get_num_threads())


def test_a_damaged_record_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "logreg").mkdir()
    (tmp_path / "logreg" / RECORD_FILE).write_text(json.dumps({"model": "logreg"}))
    file = open_model("logreg", folder / "exported")
    with pytest.raises(ModelError, match="cannot read the training record"):
        find_native(file, tmp_path, torch.get_num_threads())


def test_a_file_of_unknown_origin_has_none(folder: Path) -> None:
    by_path = open_model(str(folder / "exported" / "logreg.onnx"))
    with pytest.raises(ModelError, match="was not exported from a PyTorch network"):
        find_native(by_path, folder / "runs", torch.get_num_threads())
