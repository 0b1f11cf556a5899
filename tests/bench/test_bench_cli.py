from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fmnist_cli.cli.bench import rounded, shortened

QUICK = ("--seconds", "0.05", "--threads", "1")

# Ends as the command does, but says on stderr if a training library was imported on the way.
_CHECKED = """
import sys
from fmnist_cli.cli import main
try:
    main()
finally:
    heavy = {"torch", "sklearn", "onnx", "plotly"} & set(sys.modules)
    if heavy:
        sys.stderr.write(f"heavy imports: {heavy}")
"""


def run_bench(tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`fmnist bench …` in an empty folder and home, so that no data is found by itself."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("FMNIST_")}
    here = tmp_path / "here"
    here.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", _CHECKED, "bench", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=here,
        env=variables
        | {"HOME": str(here), "XDG_CACHE_HOME": str(here), "PYTHONIOENCODING": "utf-8"},
        timeout=60,
    )


def test_all_models_with_data(tmp_path: Path, tiny_models: Path, tiny_data: Path) -> None:
    target = tmp_path / "out" / "bench.json"
    done = run_bench(
        tmp_path,
        *("--models-dir", tiny_models, "--data-dir", tiny_data, "--json", target),
        *QUICK,
    )
    assert done.returncode == 0, done.stderr
    assert "heavy imports" not in done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "threads: 1, onnxruntime" in lines[0]
    rows = [line.split() for line in lines if line.startswith(("one", "two"))]
    assert [row[0] for row in rows] == ["one", "two"]
    assert all(len(row) == 12 for row in rows)

    document = json.loads(target.read_text(encoding="utf-8"))
    assert document["command"] == "fmnist bench --threads 1 --seconds 0.05"
    assert document["pixels"] == "test"
    assert document["threads"] == 1
    assert document["machine"]["cores"] >= 1
    assert {"fmnist-cli", "onnxruntime", "numpy", "python"} == set(document["versions"])
    assert str(tmp_path) not in target.read_text(encoding="utf-8")
    assert list(document["models"]) == ["one", "two"]
    for name, row in zip(("one", "two"), rows, strict=True):
        result = document["models"][name]
        assert result["file_bytes"] == (tiny_models / f"{name}.onnx").stat().st_size
        assert result["parameters"] == 7840
        assert result["quality"]["images"] == 40
        assert 0 <= result["quality"]["macro_f1"] <= 1
        assert row[1] == f"{result['quality']['accuracy']:.2%}"
        timing = result["timing"]
        assert len(timing["rounds"]) == document["rounds"]
        sizes = [str(size) for size in document["batch_sizes"]]
        assert sizes == list(timing["images_per_s_by_batch_size"]) == ["1", "16", "64", "256"]
        assert timing["images_per_s"] == max(timing["images_per_s_by_batch_size"].values())
        assert timing["latency"]["calls"] >= 100 * document["rounds"]


def test_without_data_there_is_no_accuracy_and_a_note(tmp_path: Path, tiny_models: Path) -> None:
    done = run_bench(
        tmp_path, "--models-dir", tiny_models, "-m", "two", "-m", "two", "--json", "-", *QUICK
    )
    assert done.returncode == 0, done.stderr
    assert "note: no accuracy, and timing on random pixels" in done.stderr
    assert "fmnist data download" in done.stderr
    document = json.loads(done.stdout)
    assert document["pixels"] == "random"
    assert list(document["models"]) == ["two", "two #2"]
    assert document["models"]["two"]["quality"] is None


def test_a_file_by_path_has_no_parameters_and_other_classes_no_accuracy(
    tmp_path: Path, tiny_models: Path, tiny_data: Path
) -> None:
    done = run_bench(
        tmp_path,
        *("-m", tiny_models / "other.onnx", "-m", tiny_models / "one.onnx"),
        *("--data-dir", tiny_data, "--json", "-", *QUICK),
    )
    assert done.returncode == 0, done.stderr
    assert "no accuracy for models of other classes: other" in done.stderr
    document = json.loads(done.stdout)
    assert document["command"].startswith("fmnist bench --model other.onnx --model one.onnx ")
    assert document["models"]["other"]["quality"] is None
    assert document["models"]["one"]["quality"]["images"] == 40
    assert document["models"]["one"]["parameters"] is None


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["-m", "three"], 2, "no model called 'three'"),
        (["--data-dir", "nowhere"], 1, "nowhere (from --data-dir) does not exist"),
        (["-m", "missing.onnx"], 1, "cannot read the model missing.onnx"),
    ],
)
def test_what_cannot_be_measured_ends_with_its_reason(
    tmp_path: Path, tiny_models: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    done = run_bench(tmp_path, "--models-dir", tiny_models, *arguments, *QUICK)
    assert done.returncode == exit_code
    assert message in done.stderr
    assert done.stdout == ""


def test_figures_are_short() -> None:
    values = [0.0123, 0.5, 1.234, 12.34, 123.4, 1234.0]
    assert [rounded(v) for v in values] == ["0.012", "0.500", "1.23", "12.3", "123", "1,234"]
    assert [shortened(n) for n in (785, 7850, 1_350_244)] == ["785", "7.85k", "1.35M"]
