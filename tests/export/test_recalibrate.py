"""Files that are calibrated anew: other confidence, the same labels."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from process import RunFmnist
from synthetic import images, write_files
from tinymodel import card_of, tiny_graph, write_exported

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError
from fmnist_cli.export.graph import canonical, serialize
from fmnist_cli.export.run import recalibrate
from fmnist_cli.inference.models import ModelFile, open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.manifest import Manifest

SPLITS = {"test": images(60, seed=2), "validation": images(100, seed=1)}


def test_labels_stay_and_loss_falls(tmp_path: Path) -> None:
    before = open_model("cnn", write_exported(tmp_path / "exported"))
    entry = recalibrate(before, tmp_path, SPLITS)
    content = (tmp_path / "cnn.onnx").read_bytes()
    after = ModelFile.of("cnn", tmp_path / "cnn.onnx", content, entry)
    assert (entry.sha256, entry.bytes) == (after.sha256, len(content))

    pixels = images(80, seed=5).pixels
    said, says = Session(before)(pixels), Session(after)(pixels)
    np.testing.assert_array_equal(says.argmax(axis=1), said.argmax(axis=1))
    assert np.abs(says - said).max() > 0.01
    assert entry.calibration is not None
    assert entry.metrics["validation"]["images"] == entry.calibration["images"] == 100
    assert entry.metrics["validation"]["loss"] < entry.calibration["before"]["loss"]
    assert Session(after).card.test_accuracy == entry.metrics["test"]["accuracy"]
    operations = [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert operations[-1] == "Softmax"
    assert operations.count("Softmax") == 1

    # Once more: the same bytes, since the curve that is there is taken away first.
    assert recalibrate(after, tmp_path / "again", SPLITS) == entry
    assert (tmp_path / "again" / "cnn.onnx").read_bytes() == content


def test_a_file_without_an_entry_is_refused(tmp_path: Path) -> None:
    file = open_model(str(write_exported(tmp_path) / "cnn.onnx"))
    with pytest.raises(ModelError, match="has no entry in a manifest; give the name of a model"):
        recalibrate(file, tmp_path / "out", SPLITS)
    assert not (tmp_path / "out").exists()


def test_a_model_of_other_classes_is_refused(tmp_path: Path) -> None:
    file = open_model("cnn", write_exported(tmp_path))
    others = card_of("cnn", (*CLASS_NAMES[:-1], "Hat"))
    content = serialize(canonical(tiny_graph().build("Softmax_5_0", 10)), others)
    with pytest.raises(ModelError, match="knows other classes than Fashion-MNIST"):
        recalibrate(file._replace(content=content), tmp_path / "out", SPLITS)


def test_the_command(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    source, out = write_exported(tmp_path / "exported"), tmp_path / "calibrated"
    (source / "cnn.json").write_text("{}")
    (tmp_path / "data").mkdir()
    data = write_files(tmp_path / "data", 600, 40)
    done = run_fmnist("calibrate", "--data-dir", data, "--models-dir", source, "-o", out)
    assert done.code == 0, done.stderr
    assert "calibration error" in done.stderr
    entry = Manifest.read(out).models["cnn"]
    assert entry.calibration is not None
    assert entry.sha256 == hashlib.sha256((out / "cnn.onnx").read_bytes()).hexdigest()
    assert (out / "cnn.json").read_text() == "{}"
