from __future__ import annotations

import json
import re
import shutil
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from idxfiles import write_idx
from process import RunFmnist, run
from tinymodel import BOX, write_both, write_exported
from typer.testing import CliRunner

from fmnist_cli import __version__
from fmnist_cli.cli import build_app
from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, FILES
from fmnist_cli.errors import DataError
from fmnist_cli.evaluate.metrics import accuracy
from fmnist_cli.inference.models import open_model, shipped_dir
from fmnist_cli.inference.session import Session
from fmnist_cli.preprocess import from_frames


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The four files with a few random images."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(8)
    for images, labels, count in ((FILES[0], FILES[1], 120), (FILES[2], FILES[3], 50)):
        pixels = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        write_idx(folder / images.name, pixels)
        write_idx(folder / labels.name, (np.arange(count) % 10).astype(np.uint8))
    return folder


def test_evaluate_prints_json_and_nothing_else(
    run_fmnist: RunFmnist, exported_dir: Path, data_dir: Path
) -> None:
    done = run_fmnist("evaluate", "--json", "--models-dir", exported_dir, "--data-dir", data_dir)
    assert done.code == 0
    assert re.fullmatch("note: .* not as published .*\n", done.stderr)  # they are made up
    document = json.loads(done.stdout)
    assert document["version"] == __version__
    assert document["split"] == "test"
    assert list(document["models"]) == ["cnn"]
    result = document["models"]["cnn"]
    file = open_model("cnn", exported_dir)
    assert file.entry is not None
    assert result["sha256"] == file.entry.sha256
    images = load_split("test", data_dir)
    probabilities = Session(file).probabilities(images.pixels)
    assert result["accuracy"] == pytest.approx(accuracy(probabilities, images.labels))
    predicted = np.frombuffer(b64decode(result["predictions"]["class_id"]), np.uint8)
    assert predicted.tolist() == probabilities.argmax(axis=1).tolist()
    sure = np.frombuffer(b64decode(result["predictions"]["confidence"]), "<u2") / 65535
    np.testing.assert_allclose(sure, probabilities.max(axis=1), atol=1e-5)
    assert result["calibration_error"] >= 0
    assert sum(b["images"] for b in result["reliability"]) == 50
    assert result["images"] == 50
    assert np.sum(result["confusion"]) == 50
    assert [c["label"] for c in result["per_class"]] == list(CLASS_NAMES)


def test_evaluate_prints_tables_and_writes_json_beside(
    exported_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "results.json"
    by_path = str(exported_dir / "cnn.onnx")
    arguments = ["--models-dir", str(exported_dir), "--data-dir", str(data_dir)]
    arguments += ["-m", "cnn", "-m", by_path, "--split", "validation", "-o", str(target)]
    result = CliRunner().invoke(build_app(), ["evaluate", *arguments])
    assert result.exit_code == 0
    assert "cnn on 10 validation images" in result.stdout
    assert "weighted avg" in result.stdout
    assert "true ↓ said →" in result.stdout
    assert "macro F1" in result.stdout.splitlines()[-3]
    document = json.loads(target.read_text(encoding="utf-8"))
    assert document["split"] == "validation"
    assert document["models"]["cnn"] == document["models"]["cnn #2"]
    assert [path.name for path in target.parent.iterdir()] == ["results.json"]


def test_evaluate_without_data_names_the_fix(exported_dir: Path, tmp_path: Path) -> None:
    arguments = ["--models-dir", str(exported_dir), "--data-dir", str(tmp_path)]
    result = CliRunner().invoke(build_app(), ["evaluate", *arguments])
    assert isinstance(result.exception, DataError)
    assert "fmnist data download" in str(result.exception)


def test_models_as_json_is_the_manifest(run_fmnist: RunFmnist, exported_dir: Path) -> None:
    done = run_fmnist("models", "--json", "--models-dir", exported_dir)
    assert (done.code, done.stderr) == (0, "")
    own = json.loads((exported_dir / "manifest.json").read_text(encoding="utf-8"))["models"]
    listed = json.loads(done.stdout)
    assert listed["cnn"] == {"folder": str(exported_dir), **own["cnn"]}
    assert listed["resnet"]["folder"] == str(shipped_dir())


def test_models_lists_what_is_there_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_exported(tmp_path / "own")
    shipped = write_exported(tmp_path / "shipped", "knn")
    monkeypatch.setattr("fmnist_cli.inference.models.shipped_dir", lambda: shipped)
    monkeypatch.setenv("COLUMNS", "300")
    result = CliRunner().invoke(build_app(), ["models", "--models-dir", str(folder)])
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if "cnn" in line)
    assert "12.50%" in line
    assert "490" in line  # parameters: 49 × 10
    assert str(folder) in line
    assert str(shipped) in next(one for one in result.stdout.splitlines() if "knn" in one)
    assert "not exported yet: " in result.stderr
    assert "cnn" not in result.stderr
    assert "knn" not in result.stderr


def test_a_model_of_other_pictures_is_measured_if_it_is_named(
    data_dir: Path, tmp_path: Path
) -> None:
    folder = write_both(tmp_path / "models")
    arguments = ["evaluate", "--models-dir", str(folder), "--data-dir", str(data_dir)]
    done = CliRunner().invoke(build_app(), [*arguments, "--json"])
    assert list(json.loads(done.stdout)["models"]) == ["resnet"]
    assert "left out: photo is a model of other pictures; --data DIR" in done.stderr
    done = CliRunner().invoke(build_app(), [*arguments, "--json", "-m", "photo"])
    images = load_split("test", data_dir)
    seen = from_frames(images.pixels, BOX)
    said = Session(open_model("photo", folder)).probabilities(seen)
    result = json.loads(done.stdout)["models"]["photo"]
    assert result["accuracy"] == pytest.approx(accuracy(said, images.labels))


@pytest.mark.parametrize(
    "arguments",
    ["models", "classify none.png", "evaluate -m cnn", "bench -m cnn", "explain none.png -o out"],
)
def test_a_folder_that_nobody_named_is_said_to_be_used(tmp_path: Path, arguments: str) -> None:
    write_exported(tmp_path / "exported")
    done = run(*arguments.split(), home=tmp_path)
    assert done.stderr.count("note: models of ./exported are used before those that are sh") == 1


def test_a_folder_that_is_named_or_a_copy_is_not_said_to_be_used(tmp_path: Path) -> None:
    own = write_exported(tmp_path / "exported")
    for arguments in (
        ("models", "-q"),
        ("models", "--models-dir", own),
        ("evaluate", "-m", "exported/cnn.onnx"),
    ):
        assert "./exported" not in run(*arguments, home=tmp_path).stderr
    done = run("evaluate", "--data", ".", "-m", "exported/cnn.onnx", "--unknown", home=tmp_path)
    assert "./exported" in done.stderr  # where the guard is looked for
    shutil.copy(shipped_dir() / "manifest.json", own)
    assert "./exported" not in run("models", home=tmp_path).stderr
