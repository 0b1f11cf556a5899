"""The main job from nothing, as a person types it: train-all → export → classify → evaluate."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from process import RunFmnist, command, environment, heed_interrupts
from synthetic import images, write_files

from fmnist_cli.models.registry import REGISTRY


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four files, 600 + 100 synthetic images."""
    return write_files(tmp_path_factory.mktemp("data"), 600, 100)


def test_from_nothing_to_labels(data_dir: Path, run_fmnist: RunFmnist, tmp_path: Path) -> None:
    runs, exported, pictures = tmp_path / "runs", tmp_path / "exported", tmp_path / "pictures"
    data = ("--data-dir", data_dir)
    trained = run_fmnist("train-all", "--preset", "quick", "--runs-dir", runs, *data)
    assert trained.code == 0, trained.stderr
    frames = [name for name, spec in REGISTRY.items() if spec.framework != "pictures"]
    assert "left out: photo; --photos DIR trains on photos" in trained.stderr
    for name in frames:
        assert f"{name}: validation accuracy" in trained.stderr
    assert "leaked" not in trained.stderr
    done = run_fmnist("export", "--runs-dir", runs, "-o", exported, *data)
    assert done.code == 0, done.stderr
    assert {path.name for path in exported.iterdir()} == (
        {f"{name}.{suffix}" for name in frames for suffix in ("onnx", "json")} | {"manifest.json"}
    )

    models = ("--models-dir", exported)
    measured = run_fmnist("evaluate", "--json", *models, *data)
    accuracies = {
        name: result["accuracy"] for name, result in json.loads(measured.stdout)["models"].items()
    }
    assert list(accuracies) == frames
    assert accuracies["svm"] > 0.9  # the synthetic classes are easy to tell apart

    run_fmnist("data", "images", pictures, "--split", "test", *data)
    labels = images(100, 2).labels
    for name, accuracy in accuracies.items():
        rows = run_fmnist("classify", pictures, "--model", name, *models).stdout.splitlines()
        predicted = [json.loads(row)["class_id"] for row in rows]
        assert np.mean(np.array(predicted) == labels) == accuracy


def test_interrupted_training_resumes(data_dir: Path, tmp_path: Path) -> None:
    line = command(
        "train", "mlp", "--preset", "best", "--runs-dir", tmp_path, "--data-dir", data_dir
    )
    with subprocess.Popen(
        line,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
        preexec_fn=heed_interrupts,
    ) as process:
        assert process.stderr is not None
        for text in process.stderr:
            if "epoch 2/" in text:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "--resume goes on" in rest
    assert "Traceback" not in rest
    assert (tmp_path / "mlp" / "last.safetensors").exists()
    resumed = subprocess.run(
        [*line, "--resume"], capture_output=True, check=True, text=True, env=environment(tmp_path)
    )
    assert "[1/1] mlp: resumed" in resumed.stderr
    assert "epoch 1/" not in resumed.stderr
    record = json.loads((tmp_path / "mlp" / "record.json").read_text())
    assert [epoch["epoch"] for epoch in record["history"]] == list(
        range(1, len(record["history"]) + 1)
    )


def test_mistakes_are_told_without_a_traceback(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    for arguments, code, text in (
        (("train", "vgg"), 2, "choose from logreg"),
        (("train", "cnn", "--data-dir", tmp_path), 1, "fmnist data download"),
        (("export", "--runs-dir", tmp_path), 1, "fmnist train-all"),
        (("export", "cnn", "--runs-dir", tmp_path, "--data-dir", tmp_path), 1, str(tmp_path)),
    ):
        result = run_fmnist(*arguments)
        assert (result.code, "Traceback" in result.stderr) == (code, False), result.stderr
        assert text in result.stderr


@pytest.mark.parametrize("words", [["train-all"], ["export"]])
def test_a_missing_extra_names_the_install(words: list[str]) -> None:
    code = (
        "import sys; sys.modules['torch'] = None;"
        f"sys.argv = ['fmnist', *{words}];"
        "from fmnist_cli.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert "'torch'" in result.stderr
    assert "pip install 'fmnist-cli[train]'" in result.stderr
