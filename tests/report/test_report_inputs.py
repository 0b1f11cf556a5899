from __future__ import annotations

from pathlib import Path

import pytest
from process import RunFmnist
from reportfiles import Folders
from typer.testing import CliRunner

from fmnist_cli.cli import build_app
from fmnist_cli.errors import ModelError, ResultsError, UsageError
from fmnist_cli.report.inputs import KINDS, gather

ROOT = Path(__file__).resolve().parents[2]


def test_files_are_recognised_by_what_they_hold(own: Folders) -> None:
    assert set(gather(own.results, own.models).sources) == set(KINDS)
    for number, path in enumerate(sorted(own.results.iterdir())):
        path.rename(path.with_name(f"{number}.json"))
    own.write("other", {"models": {"cnn": {"batches": {}}}})
    own.write("list", [1, 2])
    found = gather(own.results, own.models)
    assert set(found.sources) == set(KINDS)
    assert found.passed_over == ()


def test_of_several_files_of_a_kind_the_usual_name_wins(own: Folders) -> None:
    document = own.read("evaluate-test")
    own.write("another", {**document, "split": "validation"})
    found = gather(own.results, own.models)
    assert found.sources["evaluation"].name == "evaluate-test.json"
    assert found.passed_over == ("another.json",)


def test_no_other_result_of_the_project_is_taken_for_one_of_these() -> None:
    results = ROOT / "benchmarks" / "results"
    found = gather(results, ROOT / "exported")
    assert found.passed_over == ()
    for kind, source in found.sources.items():
        assert source.name == KINDS[kind].usual


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b""])
def test_an_unreadable_file_is_named_with_the_fix(own: Folders, content: bytes) -> None:
    (own.results / "bench.json").write_bytes(content)
    with pytest.raises(ResultsError, match=r"bench\.json: .*make it again: fmnist bench -o"):
        gather(own.results, own.models)


def test_an_unreadable_training_record_is_named(own: Folders) -> None:
    (own.models / "cnn.json").write_text('{"model": "cnn"}')
    with pytest.raises(ResultsError, match=r"cnn\.json is no training record.*fmnist export"):
        gather(own.results, own.models)


def test_folders_that_are_not_there(own: Folders, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--results"):
        gather(tmp_path / "none", own.models)
    with pytest.raises(ModelError, match="fmnist export"):
        gather(own.results, tmp_path)


def test_results_of_other_files_are_stale(own: Folders) -> None:
    assert not [notice for kind in KINDS for notice in gather(own.results, own.models).stale(kind)]
    evaluation = own.read("evaluate-test")
    evaluation["models"]["cnn"]["sha256"] = "0" * 64
    del evaluation["models"]["resnet"]
    own.write("evaluate-test", evaluation)
    other, missing = gather(own.results, own.models).stale("evaluation")
    assert "other files of cnn than" in other
    assert "does not measure resnet" in missing
    assert "fmnist evaluate -o" in other
    explanations = own.read("explain")
    explanations["models"]["cnn"] = "0" * 64
    own.write("explain", explanations)
    (notice,) = gather(own.results, own.models).stale("explanations")
    assert "fmnist explain" in notice


def test_without_results_the_page_names_the_commands(
    run_fmnist: RunFmnist, folders: Folders, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    done = run_fmnist("report", "-o", page, "--models-dir", folders.models)
    assert (done.code, done.stdout.strip()) == (0, str(page))
    text = page.read_text(encoding="utf-8")
    commands = ["data describe -o", "evaluate -o", "bench -o", "explain --maps"]
    commands = [f"fmnist {one}" for one in (*commands, "data audit")]
    for command in (*commands, "python benchmarks/robustness.py"):
        assert f"To make it: {command}" in text
    assert done.stderr.count("\n") == 1
    assert "Run: fmnist evaluate -o benchmarks/results/evaluate-test.json, " in done.stderr
    assert 'id="chart-cnn-loss"' in text  # learning curves come with the models


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_damaged_document_is_named(own: Folders, kind: str) -> None:
    name = KINDS[kind].usual.removesuffix(".json")
    document = own.read(name)
    damage = {
        "data": {"splits": []},
        "evaluation": {"models": {"cnn": {"confusion": 1, "per_class": 2}}},
        "bench": {"models": {"cnn": {"timing": {}, "quality": {"accuracy": 1}}}},
        "robustness": {"kinds": []},
        "runs": {"runs": [{}]},
        "explanations": {"items": [{"heat": ""}]},
        "audit": {"issues": {}},
    }
    own.write(name, {**document, **damage[kind]})
    out = own.results / "page.html"
    result = CliRunner().invoke(build_app("report"), ["report", "-o", str(out), *own.arguments()])
    assert isinstance(result.exception, ResultsError)
    told = str(result.exception)
    assert told.startswith(f"{name}.json cannot be shown")
    assert told.endswith(f"make it again: {KINDS[kind].command}")
    assert not out.exists()


def test_a_damaged_file_makes_no_traceback(run_fmnist: RunFmnist, own: Folders) -> None:
    own.write("bench", {"models": {"cnn": {"timing": {}, "quality": {"accuracy": 1}}}})
    done = run_fmnist("report", *own.arguments())
    assert done.code == 1
    assert done.stderr.startswith("error: bench.json cannot be shown")
    assert done.stderr.count("\n") == 1


def test_the_output_is_no_folder(run_fmnist: RunFmnist, own: Folders) -> None:
    done = run_fmnist("report", "-o", own.results, *own.arguments())
    assert done.code == 2
    assert "is a folder; name a file" in done.stderr
