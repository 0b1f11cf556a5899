"""`fmnist_cli.load` and `fmnist_cli.classify`, as a program uses them."""

from __future__ import annotations

import pydoc
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded, frame, smooth

import fmnist_cli
from fmnist_cli import Prediction, Rejected
from fmnist_cli.api import Input
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import UsageError


@pytest.fixture(scope="module")
def model(exported_dir: Path) -> fmnist_cli.Model:
    return fmnist_cli.load("cnn", models_dir=exported_dir)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(encoded(frame(index)))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return tmp_path


def test_a_model_gives_probabilities(model: fmnist_cli.Model) -> None:
    pixels = np.stack([frame(index) for index in range(5)])
    probabilities = model(pixels)
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (5, 10))
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert model(pixels[2]) == pytest.approx(probabilities[2], abs=1e-6)
    assert model(pixels[2]).shape == (10,)
    assert model(pixels[:0]).shape == (0, 10)
    assert model.class_names == model.card.class_names == CLASS_NAMES


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((2, 28, 28), np.float32), np.zeros((28, 27), np.uint8), np.zeros(28, np.uint8)],
)
def test_other_arrays_are_refused(model: fmnist_cli.Model, pixels: np.ndarray) -> None:
    with pytest.raises(UsageError, match="the model takes uint8"):
        model(pixels)


def test_a_folder_by_path(model: fmnist_cli.Model, folder: Path) -> None:
    rows = list(fmnist_cli.classify(folder, model))
    assert [row.path for row in rows] == ["0.png", "1.png", "2.png", "broken.png"]
    assert isinstance(rows[3], Rejected)
    first = rows[0]
    assert isinstance(first, Prediction)
    assert first.class_id == int(model(frame(0)).argmax())
    assert first.confidence == pytest.approx(float(model(frame(0)).max()), abs=1e-6)


def test_paths_and_arrays_together(model: fmnist_cli.Model, folder: Path) -> None:
    inputs: list[Input] = [
        str(folder / "0.png"),
        frame(1),
        folder / "missing.png",
        smooth(40, 30, 3),
        folder,
    ]
    rows = list(fmnist_cli.classify(inputs, model, top_k=2))
    assert [row.path for row in rows[:4]] == [
        (folder / "0.png").as_posix(),
        "1",
        (folder / "missing.png").as_posix(),
        "3",
    ]
    assert [row.path for row in rows[4:]] == [
        f"{folder.as_posix()}/{name}" for name in ("0.png", "1.png", "2.png", "broken.png")
    ]
    assert isinstance(rows[2], Rejected)
    assert "No such file" in rows[2].error
    assert all(len(row.top) == 2 for row in rows if isinstance(row, Prediction))


def test_an_array_is_labelled_as_its_file_is(model: fmnist_cli.Model, tmp_path: Path) -> None:
    for channels in (1, 3, 4):
        pixels = smooth(50, 30, channels)
        (tmp_path / "one.png").write_bytes(encoded(pixels))
        (by_file,) = fmnist_cli.classify(tmp_path / "one.png", model)
        (by_array,) = fmnist_cli.classify(pixels, model)
        assert isinstance(by_file, Prediction)
        assert isinstance(by_array, Prediction)
        assert by_array.prepared == by_file.prepared
        assert by_array[1:] == by_file[1:]


def test_frames_in_one_array(model: fmnist_cli.Model) -> None:
    pixels = np.stack([frame(index) for index in range(40)])
    rows = [row for row in fmnist_cli.classify(pixels, model) if isinstance(row, Prediction)]
    assert [row.path for row in rows] == [str(index) for index in range(40)]
    assert [row.class_id for row in rows] == model(pixels).argmax(axis=1).tolist()


def test_an_array_that_is_no_picture_is_refused(model: fmnist_cli.Model) -> None:
    with pytest.raises(UsageError, match="input 1 is float64"):
        list(fmnist_cli.classify([frame(0), np.zeros((28, 28))], model))


def test_rows_come_before_all_inputs_are_read(model: fmnist_cli.Model) -> None:
    endless = (frame(seed) for seed in range(10**9))
    assert len(list(islice(fmnist_cli.classify(endless, model), 100))) == 100


def test_a_threshold_makes_unknown(model: fmnist_cli.Model) -> None:
    (row,) = fmnist_cli.classify(frame(0), model, threshold=0.999)
    assert isinstance(row, Prediction)
    assert (row.label, row.class_id) == ("unknown", None)
    assert row.top[0].label in CLASS_NAMES


def test_a_wrong_preparation_is_refused_at_once(model: fmnist_cli.Model) -> None:
    with pytest.raises(UsageError, match="prepare='sideways' is unknown"):
        fmnist_cli.classify(frame(0), model, prepare="sideways")


@pytest.mark.parametrize(
    "wrong",
    [{"workers": 0}, {"batch_size": -1}, {"top_k": 0}, {"threshold": 7.0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_numbers_are_refused(model: fmnist_cli.Model, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        fmnist_cli.classify(frame(0), model, **wrong)


def test_no_path_is_not_the_current_folder(model: fmnist_cli.Model) -> None:
    with pytest.raises(UsageError, match="at least one"):
        fmnist_cli.classify("", model)
    with pytest.raises(UsageError, match="empty path"):
        list(fmnist_cli.classify([""], model))


def test_the_package_itself_stays_light() -> None:
    script = "import sys, fmnist_cli; print('numpy' in sys.modules, sorted(fmnist_cli.__all__))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    names = ["Model", "Prediction", "Rejected", "__version__", "classify", "load"]
    assert done.stdout.strip() == f"False {names}"


def test_help_shows_what_there_is() -> None:
    words = pydoc.plain(pydoc.render_doc(fmnist_cli))
    assert "    load(" in words
    assert "    classify(" in words
    assert "class Prediction(" in words
