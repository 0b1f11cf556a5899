"""The pool trusts who deserves it, is not judged on what it was fitted on, knows its members."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import data

from fmnist_cli.contract import Probabilities
from fmnist_cli.errors import ModelError
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.models.registry import Recipe, SklearnRecipe, StackRecipe, TorchRecipe, get_spec
from fmnist_cli.training.job import Job
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import TrainingRecord, load_native
from fmnist_cli.training.run import train
from fmnist_cli.training.stack_fit import cross_validated, fit_pool, fit_stack, opinions_of

LABELS = np.arange(1000) % 10


def opinion(skill: float, seed: int) -> Probabilities:
    """Noise plus `skill` for the true class."""
    logits = np.random.default_rng(seed).normal(size=(1000, 10))
    logits[np.arange(1000), LABELS] += skill
    exponent = np.exp(logits)
    return (exponent / exponent.sum(axis=1, keepdims=True)).astype(np.float32)


def test_two_independent_opinions_beat_each() -> None:
    members = {"a": opinion(2, 1), "b": opinion(2, 2)}
    _, held, epoch = fit_stack(members, LABELS, regularization=1e-3, seed=0)
    best = max(accuracy(member, LABELS) for member in members.values())
    assert accuracy(held, LABELS) > best + 0.05
    assert epoch.validation_accuracy == accuracy(held, LABELS)


def test_a_member_that_knows_nothing_gets_little_weight() -> None:
    pool = fit_pool(opinions_of([opinion(2, 1), opinion(0, 2)]), LABELS, 1e-4)
    assert pool.weights[0].mean() > 10 * abs(pool.weights[1].mean())


def test_a_member_right_in_one_class_only_is_trusted_there_only() -> None:
    skilled, plain = opinion(0, 1), opinion(1, 2)
    logits = np.log(skilled)
    logits[LABELS == 3, 3] += 4
    exponent = np.exp(logits)
    skilled = (exponent / exponent.sum(axis=1, keepdims=True)).astype(np.float32)
    pool = fit_pool(opinions_of([skilled, plain]), LABELS, 1e-4)
    assert pool.weights[0, 3] > 2 * np.delete(pool.weights[0], 3).max()


def test_cross_validation_finds_nothing_where_nothing_is() -> None:
    opinions = opinions_of([opinion(0, seed) for seed in range(4)])
    fitted = fit_pool(opinions, LABELS, 0).probabilities(opinions)
    held = cross_validated(opinions, LABELS, 0, seed=0)
    assert accuracy(fitted, LABELS) > 0.11 > accuracy(held, LABELS) - 0.02
    assert cross_entropy(held, LABELS) > cross_entropy(fitted, LABELS)


def test_a_veto_is_heard_but_not_final() -> None:
    sure = np.zeros((1, 10), np.float32)
    sure[0, 1] = 1
    assert np.isfinite(opinions_of([sure])).all()


class TestRuns:
    @pytest.fixture
    def runs(self, tmp_path: Path) -> Path:
        fit("mlp", TorchRecipe(epochs=2, batch_size=50, ema_decay=0.5), tmp_path)
        fit("logreg", SklearnRecipe({"max_iter": 20, "features": "pixels"}), tmp_path)
        fit("hybrid", StackRecipe(("mlp", "logreg")), tmp_path)
        return tmp_path

    def test_the_run_says_what_it_is_made_of_and_reads_back(self, runs: Path) -> None:
        record = TrainingRecord.read(runs / "hybrid")
        assert [parent["model"] for parent in record.parents] == ["mlp", "logreg"]
        pixels = data().validation.pixels
        probabilities = load_native(get_spec("hybrid"), runs / "hybrid").probabilities(pixels)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)

    def test_another_member_in_its_place_is_refused(self, runs: Path) -> None:
        fit("mlp", TorchRecipe(epochs=1, batch_size=50, ema_decay=0.5), runs)
        with pytest.raises(ModelError, match=r"fitted on another mlp .* fmnist train hybrid"):
            load_native(get_spec("hybrid"), runs / "hybrid")

    def test_damaged_weights_are_named(self, runs: Path) -> None:
        other = (runs / "mlp" / "weights.safetensors").read_bytes()
        (runs / "hybrid" / "weights.safetensors").write_bytes(other)
        with pytest.raises(ModelError, match=r"weights.safetensors holds no .*train hybrid again"):
            load_native(get_spec("hybrid"), runs / "hybrid")


def fit(name: str, recipe: Recipe, runs: Path) -> None:
    train(
        Job(get_spec(name), "quick", recipe, 0),
        data(),
        runs / name,
        device=torch.device("cpu"),
        resume=False,
        reporter=Reporter(),
    )
