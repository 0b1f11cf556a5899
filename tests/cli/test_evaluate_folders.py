"""`fmnist evaluate --data DIR`, and models of other classes than ten."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from photofolders import write_photos
from synthetic import images, write_files
from tinymodel import BOX, add_guard, write_both, write_exported
from typer.testing import CliRunner

from fmnist_cli.bench.measure import measure_quality
from fmnist_cli.cli import build_app
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import DataError, FmnistError, ModelError, UsageError
from fmnist_cli.evaluate.metrics import evaluate, of_first
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import open_labelled

TWELVE = (*CLASS_NAMES, "Hat", "Skirt")
OTHERS = ("Hat", "Skirt", "Shorts")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders: one is a class, one several, one none; and one bad file."""
    folder = tmp_path_factory.mktemp("labelled")
    write_photos(folder / "mine", {"dress": 4, "hat": 3, "shoes": 5})
    (folder / "mine" / "hat" / "bad.jpg").write_bytes(b"no picture")
    return folder / "mine"


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exported(tmp_path_factory.mktemp("twelve"), class_names=TWELVE)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exported(tmp_path_factory.mktemp("others"), class_names=OTHERS)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build_app(), ["evaluate", *map(str, arguments)])


def test_folders_are_measured_and_the_wrong_ones_shown(
    photos: Path, exported_dir: Path, tmp_path: Path
) -> None:
    page, document = tmp_path / "wrong.html", tmp_path / "results.json"
    done = run(
        *("--data", photos),
        *("--models-dir", exported_dir, "-o", document, "--report", page),
    )
    assert done.exit_code == 3  # one file could not be read
    assert "12 pictures" in done.stdout
    assert "not read: hat/bad.jpg: not an image" in done.stdout
    assert 'left out of the accuracy: 3 pictures of hat, which mean "unknown"' in done.stdout
    values = json.loads(document.read_text(encoding="utf-8"))
    assert values["pictures"]["folder"] == "mine"
    assert values["pictures"]["prepared"] == {"frame": 12}
    assert [row["path"] for row in values["pictures"]["rejected"]] == ["hat/bad.jpg"]
    result = values["models"]["cnn"]
    assert result["images"] == 9
    shares = [result["folders"][name]["right"] / n for name, n in (("dress", 4), ("shoes", 5))]
    assert result["macro_accuracy"] == pytest.approx(np.mean(shares))
    assert sum(map(sum, (counts.values() for counts in result["confusion"].values()))) == 12
    text = page.read_text(encoding="utf-8")
    wrong = 9 - sum(result["folders"][name]["right"] for name in ("dress", "shoes"))
    assert text.count('<li class="card">') == wrong
    assert text.count('src="data:image/png') == wrong  # frames: the original is the frame itself
    assert str(photos.parent) not in text


def test_what_is_unknown_is_told_by_the_guard(photos: Path, tmp_path: Path) -> None:
    folder = add_guard(write_exported(tmp_path))
    done = run("--data", photos, "--models-dir", folder, "--unknown", "--json")
    values = json.loads(done.stdout)
    assert values["pictures"]["unknown_at"] == 0.95
    unknown = values["models"]["cnn"]["unknown"]
    # To this guard frames are strange whose mean is above 95; these have about 50.
    assert (unknown["images"], unknown["recognised"], unknown["wrongly_unknown"]) == (3, 0, 0)
    at_half = run("--data", photos, "--models-dir", folder, "--unknown-at", "0.5")
    assert "called unknown: " in at_half.stdout
    assert "AUROC" in at_half.stdout
    none = run("--data", photos, "--models-dir", folder, "--unknown-at", "2")
    assert isinstance(none.exception, UsageError)


def test_models_of_other_pictures_are_measured_on_the_same_folders(
    photos: Path, tmp_path: Path
) -> None:
    folder = add_guard(write_both(tmp_path))
    both = ("--data", photos, "--models-dir", folder, "-m", "resnet", "-m", "photo")
    page = tmp_path / "page.html"
    done = run(*both, "--unknown-at", "0.5", "--json", "--report", page)
    assert done.exit_code == 3
    values = json.loads(done.stdout)
    assert values["pictures"]["prepared"] == {"frame": 12, "letterbox": 12}
    assert list(values["models"]) == ["resnet", "photo"]
    # What the photo model sees of a frame, whose mean is about 50, is larger, with black around.
    found = LabelledPictures.read(open_labelled(photos, None), BOX, workers=1)
    said = Session(open_model("photo", folder)).outputs(found.pixels, novelty=True)
    assert said.novelty is not None
    counts = {name: one["unknown"] for name, one in values["models"]["photo"]["folders"].items()}
    for at, name in enumerate(found.folders):
        assert counts[name] == int((said.novelty[found.members == at] > 50).sum())
    confusion = values["models"]["photo"]["confusion"]
    assert sum(sum(row.values()) for row in confusion.values()) == 12
    assert "photo" in page.read_text(encoding="utf-8")
    alone = run(*both[:-2], "--unknown-at", "0.5", "--json")
    assert json.loads(alone.stdout)["models"]["resnet"] == values["models"]["resnet"]
    chosen = run(*both, "--prepare", "product")
    assert isinstance(chosen.exception, UsageError)


def test_json_on_standard_output_is_all_that_is_there(photos: Path, exported_dir: Path) -> None:
    done = run(
        *("--data", photos),
        *("-m", "cnn", "-m", exported_dir / "cnn.onnx"),
        *("--models-dir", exported_dir, "--json"),
    )
    models = json.loads(done.stdout)["models"]
    assert models["cnn"] == models["cnn #2"]


def test_a_folder_without_a_class_is_an_error_that_says_what_to_write(
    exported_dir: Path, tmp_path: Path
) -> None:
    photos = write_photos(tmp_path / "mine", {"dress": 1, "gloves": 1, "scarf": 1})
    done = run("--data", photos, "--models-dir", exported_dir)
    assert isinstance(done.exception, DataError)
    assert "gloves, scarf of mine are no classes of the model" in str(done.exception)
    assert "--labels FILE" in str(done.exception)


def test_options_of_folders_need_a_folder(exported_dir: Path, tmp_path: Path) -> None:
    for option in ("--root", "--report"):
        done = run(option, tmp_path / "x", "--models-dir", exported_dir)
        assert isinstance(done.exception, UsageError)
    done = run("--data", tmp_path / "none", "--models-dir", exported_dir)
    assert isinstance(done.exception, UsageError)


def test_a_model_of_further_classes_knows_its_own_and_the_ten(
    photos: Path, twelve: Path, tmp_path: Path
) -> None:
    done = run("--data", photos, "--models-dir", twelve, "--json")
    result = json.loads(done.stdout)["models"]["cnn"]
    assert result["images"] == 12
    assert result["folders"]["hat"]["classes"] == ["Hat"]
    data = write_files(tmp_path, 120, 50)
    done = run("--models-dir", twelve, "--data-dir", data, "--json")
    result = json.loads(done.stdout)["models"]["cnn"]
    session = Session(open_model("cnn", twelve))
    test = images(50, 2)
    chosen = session.probabilities(test.pixels)[:, :10]
    assert result["accuracy"] == np.mean(chosen.argmax(axis=1) == test.labels)
    assert [one["label"] for one in result["per_class"]] == list(CLASS_NAMES)
    quality = measure_quality(session, test)
    assert quality is not None
    assert quality["accuracy"] == result["accuracy"]


def test_a_model_of_other_classes_is_not_measured_on_fashion_mnist(
    others: Path, tmp_path: Path
) -> None:
    data = write_files(tmp_path, 120, 50)
    assert measure_quality(Session(open_model("cnn", others)), images(50, 2)) is None
    done = run("--models-dir", others, "--data-dir", data, "-m", "cnn")
    assert isinstance(done.exception, ModelError)
    done = run("--models-dir", others, "--data-dir", data)
    assert isinstance(done.exception, FmnistError)
    assert "left out" in done.stderr


def test_probabilities_of_some_classes_sum_to_one() -> None:
    given = np.array([[0.2, 0.2, 0.6], [0, 0, 1]], np.float32)
    np.testing.assert_allclose(of_first(given, 2), [[0.5, 0.5], [0, 0]])
    assert of_first(given, 3) is given
    assert evaluate(of_first(given, 2), np.array([0, 1]), ("a", "b")).images == 2
