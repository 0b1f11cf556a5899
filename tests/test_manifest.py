from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tinymodel import write_exported

from fmnist_cli.errors import ModelError
from fmnist_cli.manifest import FORMAT, MANIFEST_FILE, Entry, Manifest


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    manifest = Manifest.read(write_exported(tmp_path))
    assert list(manifest.models) == ["cnn"]
    # As of a model of other classes, which is not measured.
    part = Entry("guard.onnx", "Guard", "00", bytes=1, parameters=1, metrics={})
    manifest = manifest._replace(parts={"guard": part})
    (tmp_path / MANIFEST_FILE).write_text(manifest.to_json(), encoding="utf-8")
    assert Manifest.read(tmp_path) == manifest


def test_the_order_of_the_models_is_kept(tmp_path: Path) -> None:
    entry = Manifest.read(write_exported(tmp_path)).models["cnn"]
    text = Manifest(dict.fromkeys(("svm", "cnn", "resnet"), entry)).to_json()
    (tmp_path / MANIFEST_FILE).write_text(text, encoding="utf-8")
    assert list(Manifest.read(tmp_path).models) == ["svm", "cnn", "resnet"]
    assert text.endswith("}\n")


def test_a_missing_manifest_is_met_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no manifest\.json in .*; run: fmnist export"):
        Manifest.read(tmp_path)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(lambda m: m.update(format=FORMAT + 1), "has format 2", id="newer format"),
        pytest.param(lambda m: m.pop("format"), "format", id="no format"),
        pytest.param(lambda m: m.pop("models"), "models", id="no models"),
        pytest.param(lambda m: m.update(models=[]), "cannot read", id="models of another type"),
        pytest.param(lambda m: m["models"]["cnn"].pop("sha256"), "sha256", id="no checksum"),
        pytest.param(lambda m: m["models"]["cnn"].update(more=1), "more", id="unknown field"),
        pytest.param(
            lambda m: m["models"]["cnn"].update(file="../x.onnx"), "outside", id="outside"
        ),
    ],
)
def test_a_manifest_of_another_form_is_named_with_cause(
    tmp_path: Path, change: Change, cause: str
) -> None:
    path = write_exported(tmp_path) / MANIFEST_FILE
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        Manifest.read(tmp_path)
    assert str(path) in str(caught.value)
    assert cause in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"text"', b"\xff\xfe"])
def test_what_is_no_manifest_is_called_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read .*export the models again"):
        Manifest.read(tmp_path)
