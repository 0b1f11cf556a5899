"""Every shipped graph says the same in other runtimes; the committed table is of these files."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import portability as script
import pytest
from onnx import helper

from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.manifest import Manifest

COMMITTED: dict[str, Any] = json.loads(script.RESULTS.read_text(encoding="utf-8"))
SPEC = script.spec_of(script.EXPORTED / "photo.onnx")
# How far others may be from ONNX Runtime. svm's kernel takes differences of large sums.
MOST, MOST_OF = 1e-5, {"svm": 5e-3}


@pytest.fixture(scope="module")
def tasks() -> dict[str, script.Task]:
    frames = script.pictures(script.SAMPLES, FRAME_SPEC, 5)
    return script.tasks_of(frames, script.pictures(script.SAMPLES, SPEC, 2))


@pytest.mark.parametrize("runtime", script.RUNTIMES)
def test_every_graph_says_the_same(
    runtime: str, tasks: dict[str, script.Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "SLOW", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, and of packages that are loaded
        try:
            found = script.compare(tasks, [runtime])[runtime]
        except script.MissingRuntimeError as missing:
            pytest.skip(str(missing))
    for name, result in found.items():
        assert ("fails" in result) == ("fails" in COMMITTED["runtimes"][runtime][name]), result
        if "fails" not in result:
            assert result["images"] == (1 if runtime == "reference" else len(tasks[name].pixels))
            assert result.get("same_labels", result["images"]) == result["images"], name
            most = MOST_OF.get(name, MOST)
            assert max(result["difference"].values()) <= most, (name, result)


def test_the_table_is_of_the_shipped_graphs() -> None:
    # Else run benchmarks/portability.py and benchmarks/readme_tables.py.
    manifest = Manifest.read(script.EXPORTED)
    entries = {**manifest.models, **manifest.parts}
    assert COMMITTED["graphs"] == {name: entries[name].sha256 for name in sorted(entries)}
    assert set(COMMITTED["runtimes"]) == set(script.RUNTIMES)


def test_only_graphs_with_ai_onnx_ml_fail_anywhere() -> None:
    for runtime, graphs in COMMITTED["runtimes"].items():
        for name, result in graphs.items():
            nodes = onnx.load(script.EXPORTED / f"{name}.onnx").graph.node
            if "fails" in result:
                assert runtime == "openvino"
                assert "ai.onnx.ml" in {node.domain for node in nodes}
            else:
                assert result.get("same_labels", result["images"]) == result["images"]


def test_differences_are_found() -> None:
    expected = {"probabilities": np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], np.float32)}
    other = {"probabilities": np.array([[0.3, 0.5, 0.2], [0.1, 0.8, 0.1]], np.float32)}
    assert script.compared(expected, other) == {
        "images": 2,
        "difference": {"probabilities": 0.2},
        "same_labels": 1,
    }
    first = {"probabilities": expected["probabilities"][:1]}
    assert script.compared(expected, first)["same_labels"] == 1
    assert "instead of" in script.compared(expected, {"other": other["probabilities"]})["fails"]
    wrong = {"probabilities": np.zeros((2, 2), np.float32)}
    assert "shape [2, 2]" in script.compared(expected, wrong)["fails"]
    assert script.compared(expected, "no such operator\nat …") == {"fails": "no such operator at …"}


def test_a_graph_that_cannot_be_run_is_told(tasks: dict[str, script.Task], tmp_path: Path) -> None:
    model = onnx.load(tasks["logreg"].file)
    model.graph.node.append(helper.make_node("Unheard", ["pixels"], ["none"]))
    onnx.save(model, tmp_path / "odd.onnx")
    odd = tasks["logreg"]._replace(file=tmp_path / "odd.onnx")
    [reason] = script.RUNTIMES["reference"]([odd])
    assert isinstance(reason, str)
    assert "Unheard" in reason
