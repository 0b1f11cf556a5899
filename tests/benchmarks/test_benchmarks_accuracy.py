"""The table of runs: what it says of a run, and which run it calls the shipped one."""

from __future__ import annotations

from pathlib import Path

import accuracy as script
import pytest
import readme_tables
import torch
from synthetic import data, images

from fmnist_cli.models.registry import TorchRecipe, get_spec
from fmnist_cli.training.job import Job
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import load_native
from fmnist_cli.training.run import train


def test_a_row_says_what_a_run_cost_and_reached(tmp_path: Path) -> None:
    recipe = TorchRecipe(epochs=1, batch_size=50, params={"features": "pixels"})
    record = train(
        Job(get_spec("mlp"), "quick", recipe, 4),
        data(),
        tmp_path / "mlp",
        device=torch.device("cpu"),
        resume=False,
        reporter=Reporter(),
    )
    test = images(50, seed=3)
    row = script.row_of(tmp_path / "mlp", test)
    probabilities = load_native(get_spec("mlp"), tmp_path / "mlp").probabilities(test.pixels)
    assert row["test_accuracy"] == (probabilities.argmax(1) == test.labels).mean()
    assert row["validation_accuracy"] == record.validation_accuracy
    assert (row["seed"], row["epochs"], row["features"]) == (4, 1, "pixels")

    training = {key: row[key] for key in ("preset", "seed", "finished", "validation_accuracy")}
    assert script.is_shipped(row, {"mlp": {"training": training}})
    assert not script.is_shipped(row, {"mlp": {"training": training | {"seed": 5}}})
    assert not script.is_shipped(row, {})


def run(seed: int, test_accuracy: float, **changes: object) -> dict[str, object]:
    same = {"model": "cnn", "preset": "best", "recipe": {"epochs": 9}, "device": "cpu"}
    row = {"seed": seed, "test_accuracy": test_accuracy, "train_images": 5, "parents": []}
    return same | row | changes


def test_seeds_are_averaged_over_equal_runs_only() -> None:
    runs = [run(0, 0.90), run(1, 0.92), run(2, 0.99, recipe={"epochs": 8}), run(3, 0.1, model="x")]
    assert readme_tables._over_seeds(runs, runs[0]) == "91.00% ± 1.41, 2 seeds"
    assert readme_tables._over_seeds(runs, runs[2]) == "one seed"


@pytest.mark.parametrize("parents", [["resnet 111111111111"], ["resnet 222222222222"]])
def test_teachers_of_one_kind_count_as_equal(parents: list[str]) -> None:
    taught = {"epochs": 9, "teachers": ["resnet"]}
    first = run(0, 0.9, parents=["resnet 111111111111"], recipe=taught)
    runs = [first, run(1, 0.9, parents=parents, recipe=taught)]
    assert readme_tables._over_seeds(runs, first).endswith("2 seeds")


@pytest.mark.parametrize(("start", "count"), [("111111111111", "2 seeds"), ("222", "one seed")])
def test_runs_from_different_files_are_different(start: str, count: str) -> None:
    first = run(0, 0.9, parents=["resnet 111111111111"])
    runs = [first, run(1, 0.9, parents=[f"resnet {start}"])]
    assert readme_tables._over_seeds(runs, first).endswith(count)
