"""What finds garments is loaded by the first photo, checked, and asked for only where needed."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, frame
from tinymodel import add_isolate

import fmnist_cli
from fmnist_cli.contract import CLASS_NAMES, Pixels, Probabilities
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.manifest import MANIFEST_FILE, Manifest
from fmnist_cli.runtime.classifier import Classifier, Settings
from fmnist_cli.runtime.isolate import open_isolator
from fmnist_cli.runtime.rows import Prediction
from fmnist_cli.runtime.sources.base import HeldItem
from fmnist_cli.runtime.store import find_part, open_part


@pytest.fixture
def models(exported_dir: Path, tmp_path: Path) -> Path:
    """A folder of models of which `isolate` is a part."""
    return add_isolate(Path(shutil.copytree(exported_dir, tmp_path / "models")))


def photo() -> bytes:
    """A red rectangle in greenish noise."""
    color = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    color[..., 1] = 200
    color[20:100, 60:100] = (200, 30, 30)
    return encoded(color)


def uniform(pixels: Pixels) -> Probabilities:
    return np.full((len(pixels), 10), 0.1, np.float32)


def test_a_mask_of_what_it_was_made_for(models: Path) -> None:
    isolate = open_isolator("photo", models)
    assert isolate is not None
    image = np.zeros((128, 128, 3), np.uint8)
    image[:50, :, 0] = 250
    mask = isolate(image)
    assert (mask.shape, mask.dtype) == ((128, 128), np.float32)
    assert (mask[:50] == 1).all()
    assert (mask[50:] == 0).all()


def test_rows_say_photo(models: Path) -> None:
    rows = list(
        fmnist_cli.classify([np.asarray(frame(1)), models / "x.png"], "cnn", models_dir=models)
    )
    assert [type(row).__name__ for row in rows] == ["Prediction", "Rejected"]
    (models / "photo.png").write_bytes(photo())
    (row,) = fmnist_cli.classify(models / "photo.png", "cnn", models_dir=models)
    assert isinstance(row, Prediction)
    assert row.prepared == "photo"


def test_the_file_is_read_by_the_first_photo(models: Path) -> None:
    isolate = open_isolator("auto", models)
    saved = []
    classifier = Classifier(
        uniform, CLASS_NAMES, Settings(), isolate=isolate, save=lambda *one: saved.append(one)
    )
    content = (models / "isolate.onnx").read_bytes()
    (models / "isolate.onnx").write_bytes(content[:-1])
    (row,) = classifier([HeldItem("a", encoded(frame(1)))])
    assert isinstance(row, Prediction)
    assert row.prepared == "frame"
    with pytest.raises(ModelError, match=r"isolate\.onnx is not the file .* restore it"):
        classifier([HeldItem("b", photo())])
    (models / "isolate.onnx").write_bytes(content)
    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(classifier, [[HeldItem(str(n), photo())] for n in range(4)]))
    assert all(isinstance(row, Prediction) and row.prepared == "photo" for (row,) in found)
    assert len(saved) == 5
    assert len({saved_frame.tobytes() for _, saved_frame in saved[1:]}) == 1


def test_without_it_photo_says_what_to_do_and_auto_goes_on(exported_dir: Path) -> None:
    assert open_isolator("auto", exported_dir) is None
    with pytest.raises(UsageError, match=r"--prepare photo needs .* --models-dir"):
        open_isolator("photo", exported_dir)
    assert find_part("isolate", exported_dir / "nowhere") is None
    with pytest.raises(UsageError, match="no part called 'isolate'"):
        open_part("isolate", exported_dir)


def test_it_is_not_even_looked_for_by_other_modes(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_FILE).write_text("damaged")
    assert open_isolator("frame", tmp_path) is None
    assert open_isolator("product", tmp_path) is None
    with pytest.raises(ModelError, match="cannot read"):
        open_isolator("auto", tmp_path)


def test_a_graph_of_another_kind_is_refused(models: Path) -> None:
    manifest = Manifest.read(models)
    entry = manifest.models["cnn"]
    part = manifest.parts["isolate"]._replace(file=entry.file, sha256=entry.sha256)
    changed = manifest._replace(parts={"isolate": part})
    (models / MANIFEST_FILE).write_text(changed.to_json())
    isolate = open_isolator("photo", models)
    assert isolate is not None
    with pytest.raises(ModelError, match="does not take 'image' and give 'mask'"):
        isolate(np.zeros((128, 128, 3), np.uint8))


def test_parts_stay_inside_their_folder(models: Path) -> None:
    manifest = Manifest.read(models)
    part = manifest.parts["isolate"]._replace(file="../isolate.onnx")
    (models / MANIFEST_FILE).write_text(manifest._replace(parts={"isolate": part}).to_json())
    with pytest.raises(ModelError, match="outside the folder"):
        Manifest.read(models)
