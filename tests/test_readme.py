"""The README's figures are those of the committed results, and those of the shipped files."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

from process import RunFmnist
from typer.main import get_command

from fmnist_cli.cli import build_app
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.manifest import Manifest
from fmnist_cli.models.registry import REGISTRY

ROOT = Path(__file__).resolve().parent.parent


def test_its_tables_come_from_the_results() -> None:
    script = ROOT / "benchmarks" / "readme_tables.py"
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_the_results_are_of_the_shipped_files() -> None:
    manifest = Manifest.read(ROOT / "exported")
    frames = [name for name in manifest.models if REGISTRY[name].input == FRAME_SPEC]
    networks = [name for name in frames if REGISTRY[name].framework == "torch"]
    for name, models in {
        "evaluate-test.json": frames,
        "bench.json": list(manifest.models),
        "native.json": networks,
        "robustness.json": frames,
    }.items():
        document = json.loads((ROOT / "benchmarks" / "results" / name).read_text())
        assert list(document["models"]) == models, name
        for model, measured in document["models"].items():
            assert measured["sha256"] == manifest.models[model].sha256, (name, model)
    for name in ("photo.json", "quantized.json"):
        document = json.loads((ROOT / "benchmarks" / "results" / name).read_text())
        assert document["sha256"] == manifest.models["photo"].sha256, name
    document = json.loads((ROOT / "benchmarks" / "results" / "classify.json").read_text())
    assert len(document["cases"]) == 5
    for case in document["cases"].values():
        assert case["sha256"] == manifest.models[case["model"]].sha256


def test_the_sample_pictures_are_labelled_as_it_says(run_fmnist: RunFmnist) -> None:
    said = (ROOT / "README.md").read_text("utf-8").partition("$ make demo")[2].partition("```")[0]
    rows = [line for line in said.splitlines() if "frames/" in line or "products/" in line]
    assert len(rows) == 5
    done = run_fmnist("classify", ROOT / "data" / "samples", "--format", "text")
    shown = [row_of(line) for line in done.stdout.splitlines()]
    for row in rows:
        label, confidence, path = row_of(row)
        [(_, measured, _)] = [one for one in shown if one[0] == label and one[2] == path]
        assert abs(measured - confidence) <= 0.2  # another processor rounds otherwise


def test_the_rows_are_those_of_a_good_and_a_damaged_picture(
    run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    said = [
        line for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line[:1] == "{"
    ]
    samples = ROOT / "data" / "samples"
    (tmp_path / "good.png").write_bytes((samples / "frames" / "dress.png").read_bytes())
    (tmp_path / "cut.jpg").write_bytes((samples / "products" / "shirt.jpg").read_bytes()[:3000])
    made = run_fmnist("classify", tmp_path).stdout.splitlines()
    told, found = ([json.loads(line) for line in lines] for lines in (said, made))
    assert [list(row) for row in told] == [list(row) for row in found]
    assert told[0] == found[0]
    assert abs(told[1].pop("confidence") - found[1].pop("confidence")) <= 2e-3
    for row in (told[1], found[1]):
        del row["top"]
    assert told[1] == found[1]


def row_of(line: str) -> tuple[str, float, str]:
    """Label, confidence in %, path."""
    found = re.match(r"(\S.*?) +([\d.]+)%  \S+ +(\S+)", line)
    assert found, line
    return found[1], float(found[2]), found[3]


def test_every_shipped_model_is_among_the_runs() -> None:
    manifest = Manifest.read(ROOT / "exported")
    runs = json.loads((ROOT / "benchmarks" / "results" / "accuracy.json").read_text())["runs"]
    shipped = {run["model"]: run for run in runs if run["shipped"]}
    frames = [name for name in manifest.models if REGISTRY[name].input == FRAME_SPEC]
    assert list(shipped) == frames
    for name in frames:
        entry = manifest.models[name]
        # The native model and its graph may part on a picture that is nearly a draw.
        assert abs(shipped[name]["test_accuracy"] - entry.metrics["test"]["accuracy"]) <= 5e-4


def test_the_shipped_files_are_those_of_the_manifest() -> None:
    manifest = Manifest.read(ROOT / "exported")
    assert len(manifest.models) == 9
    total = 0
    for entry in manifest.models.values():
        content = (ROOT / "exported" / entry.file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry.sha256
        total += len(content)
    assert total <= 60_000_000


def test_every_option_of_classify_is_documented() -> None:
    command = get_command(build_app("classify")).commands["classify"]  # type: ignore[attr-defined]
    text = (ROOT / "docs" / "classify.md").read_text(encoding="utf-8")
    # Others are told in command-line.md, and hidden ones nowhere.
    parameters = [o for o in command.params if o.expose_value and not getattr(o, "hidden", False)]
    options = [name for one in parameters for name in one.opts if name[0] == "-"]
    assert len(options) > 30
    told = set(re.findall(r"(?<![\w-])--?[a-z0-9][a-z0-9-]*", text))
    assert not [name for name in options if name not in told]
