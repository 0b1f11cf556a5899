from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.main import get_command

from fmnist_cli.bench.compare import METRICS
from fmnist_cli.bench.run import Pictures, label_folder
from fmnist_cli.cli import build_app
from fmnist_cli.errors import DataError

ROOT = Path(__file__).resolve().parents[2]

QUICK = ("--seconds", "0.05", "--threads", "1", "--rounds", "2")

# Ends as the command does, but says on stderr if a training library was imported on the way.
_CHECKED = """
import sys
from fmnist_cli.cli import main
try:
    main()
finally:
    heavy = {n for n in ("torch", "sklearn", "onnx", "plotly") if sys.modules.get(n)}
    if heavy:
        sys.stderr.write(f"heavy imports: {heavy}")
"""


def picture() -> bytes:
    """A PNG of noise, 28×28."""
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


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
        timeout=120,
    )


def test_all_models_with_data(tmp_path: Path, tiny_models: Path, tiny_data: Path) -> None:
    out = tmp_path / "out"
    done = run_bench(
        tmp_path,
        *("--models-dir", tiny_models, "--data-dir", tiny_data, "-o", out / "bench.json"),
        *("--csv", out / "bench.csv", "--report", out / "bench.html"),
        *QUICK,
    )
    assert done.returncode == 0, done.stderr
    assert "heavy imports" not in done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert "threads: 1, fmnist" in lines[0]
    rows = [line.split() for line in lines if line.startswith(("one", "two"))]
    assert [row[0] for row in rows] == ["one", "two", "one", "two"]
    assert [len(row) for row in rows] == [9, 9, 10, 10]

    text = (out / "bench.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert document["format"] == 2
    assert document["command"] == "fmnist bench --threads 1 --seconds 0.05 --rounds 2"
    assert document["pixels"] == "test"
    assert (document["threads"], document["thread_counts"]) == (1, [1])
    assert document["machine"]["cores"] >= 1
    assert {"fmnist-cli", "onnxruntime", "numpy", "python"} == set(document["versions"])
    assert str(tmp_path) not in text
    assert list(document["models"]) == ["one", "two"]
    for name, row in zip(("one", "two"), rows, strict=False):
        result = document["models"][name]
        assert result["file_bytes"] == (tiny_models / f"{name}.onnx").stat().st_size
        assert result["parameters"] == result["macs"] == 7840
        assert result["quality"]["images"] == 40
        assert 0 <= result["quality"]["macro_f1"] <= 1
        assert row[1] == f"{result['quality']['accuracy']:.2%}"
        timing = result["timing"]
        assert len(timing["rounds"]) == document["rounds"] == 2
        sizes = [str(size) for size in document["batch_sizes"]]
        assert sizes == list(timing["images_per_s_by_batch_size"]) == ["1", "16", "64", "256"]
        assert timing["images_per_s"] == max(timing["images_per_s_by_batch_size"].values())
        assert timing["latency"]["calls"] >= 100 * document["rounds"]
        p50 = timing["intervals"]["p50_ms"]
        assert p50["low"] <= p50["median"] == timing["latency"]["p50_ms"] <= p50["high"]
    assert (out / "bench.csv").read_text(encoding="utf-8").count("\n") == 3
    assert "Accuracy against cost" in (out / "bench.html").read_text(encoding="utf-8")


def test_without_data_there_is_no_accuracy_and_a_note(tmp_path: Path, tiny_models: Path) -> None:
    done = run_bench(
        tmp_path,
        *("--models-dir", tiny_models, "-m", "two", "-m", "two", "--json", *QUICK),
        *("--fail-if", "size > 0.001", "--fail-if", "load > 1000000"),
    )
    assert done.returncode == 4, done.stderr
    assert "failed: two #2: size > 0.001: is 0.03" in done.stderr
    assert "note: no accuracy, and timing on random pixels" in done.stderr
    assert "fmnist data download" in done.stderr
    document = json.loads(done.stdout)
    assert document["pixels"] == "random"
    assert list(document["models"]) == ["two", "two #2"]
    assert document["models"]["two"]["quality"] is None


def test_a_model_of_colour_pictures_is_measured_but_for_accuracy(
    tmp_path: Path, tiny_models: Path, tiny_data: Path
) -> None:
    pictures, page = tmp_path / "pictures", tmp_path / "bench.html"
    pictures.mkdir()
    (pictures / "a.png").write_bytes(picture())
    words = ("-m", "one", "-m", tiny_models / "colour.onnx", "--models-dir", tiny_models)
    words = (*words, "--data-dir", tiny_data, "--images", pictures, *QUICK)
    done = run_bench(
        tmp_path,
        *(
            *words,
            "--csv",
            tmp_path / "bench.csv",
            "--report",
            page,
            "--fail-if",
            "accuracy < 0.1%",
        ),
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("colour ")]
    assert rows[0][1:5] == ["–"] * 4
    assert rows[2][:3] == ["colour", "1", "0"]  # of the whole command
    note = "Without accuracy: colour, which is not for the test images"
    assert note in done.stdout
    assert note in page.read_text(encoding="utf-8")
    assert "fmnist evaluate --data DIR" in done.stdout
    first, second = (tmp_path / "bench.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert (first.split(",")[0], second.split(",")[0]) == ("one", "colour")
    refused = run_bench(tmp_path, *words, "--prepare", "product")
    assert refused.returncode == 2
    assert "--prepare product is for models that take frames" in refused.stderr


def test_a_file_by_path_has_no_parameters_and_other_classes_no_accuracy(
    tmp_path: Path, tiny_models: Path, tiny_data: Path
) -> None:
    done = run_bench(
        tmp_path,
        *("-m", tiny_models / "other.onnx", "-m", tiny_models / "one.onnx"),
        *("--data-dir", tiny_data, "--json", *QUICK),
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["command"].startswith("fmnist bench --model other.onnx --model one.onnx ")
    assert document["models"]["other"]["quality"] is None
    assert document["models"]["one"]["quality"]["images"] == 40
    assert document["models"]["one"]["parameters"] is None


def test_two_measurements_and_pictures_of_the_user(tmp_path: Path, tiny_models: Path) -> None:
    pictures, old = tmp_path / "pictures", tmp_path / "old.json"
    pictures.mkdir()
    for name in ("a", "b"):
        (pictures / f"{name}.png").write_bytes(picture())
    (pictures / "cut.png").write_bytes(picture()[:40])
    words = ("--models-dir", tiny_models, *QUICK)
    first = run_bench(tmp_path, "-m", "one", "--images", pictures, "-o", old, *words)
    assert first.returncode == 0, first.stderr
    end_to_end = json.loads(old.read_text(encoding="utf-8"))["models"]["one"]["end_to_end"]
    assert (end_to_end["images"], end_to_end["rejected"]) == (3, 1)
    assert end_to_end["images_per_s"]["median"] > 0
    assert [line.split()[:3] for line in first.stdout.splitlines() if line.startswith("one")][
        2:
    ] == [["one", "3", "1"]]

    other = tiny_models / "other.onnx"
    second = run_bench(
        tmp_path,
        *("-m", "one", "-m", other, "--compare", old, *words),
        *("--fail-if", "latency_p50 < 1000x", "--fail-if", "accuracy < 0.1x"),
    )
    assert second.returncode == 4
    assert "failed: one: latency_p50 < 1000x: is " in second.stderr
    assert "failed: one: accuracy < 0.1x: was not measured" in second.stderr
    assert "failed: other" not in second.stderr
    assert "the same within their 95 % intervals" in second.stdout
    assert "not measured then: other" in second.stdout
    assert max(map(len, second.stdout.splitlines())) <= 100

    refused = run_bench(tmp_path, "-m", "one", "--compare", old, *words, "--threads", "2")
    assert refused.returncode == 2
    assert "threads 1 then, 2 now" in refused.stderr
    assert refused.stdout == ""


def test_a_folder_without_pictures_is_told(tmp_path: Path, tiny_models: Path) -> None:
    with pytest.raises(DataError, match=r"--images .*: no pictures found in"):
        label_folder(Pictures(tmp_path), tiny_models / "one.onnx", workers=1)


def test_every_option_is_documented() -> None:
    command = get_command(build_app("bench")).commands["bench"]  # type: ignore[attr-defined]
    text = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
    parameters = [one for one in command.params if one.expose_value]  # others: command-line.md
    options = [n for p in parameters for n in (*p.opts, *p.secondary_opts) if n[0] == "-"]
    assert len(options) > 12
    assert not [name for name in options if name not in text and name not in ("--help", "--output")]
    assert not [metric for metric in METRICS if f"`{metric}`" not in text]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["-m", "three"], 2, "no model called 'three'"),
        (["--data-dir", "nowhere"], 1, "nowhere (from --data-dir) does not exist"),
        (["-m", "missing.onnx"], 1, "cannot read the model missing.onnx"),
        (["--csv", "."], 2, ". is a folder; name a file"),
        (["--images", "nowhere"], 2, "--images nowhere does not exist"),
        (["--compare", "old.json"], 1, "cannot read old.json"),
        (["--fail-if", "speed > 1"], 2, "Metrics: accuracy, macro_f1"),
        (["--fail-if", "size > 2x"], 2, "--fail-if 'size > 2x' needs --compare OLD.json"),
    ],
)
def test_what_cannot_be_measured_ends_with_its_reason(
    tmp_path: Path, tiny_models: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    done = run_bench(tmp_path, "--models-dir", tiny_models, *arguments, *QUICK)
    assert done.returncode == exit_code
    assert message in done.stderr
    assert done.stdout == ""
