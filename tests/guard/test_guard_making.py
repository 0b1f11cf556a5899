"""A guard is fitted, becomes a graph that says the same, and is used by `--unknown`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import data, images, write_files
from tinymodel import write_exported

import fmnist_cli
from fmnist_cli.contract import Pixels
from fmnist_cli.errors import VerificationError
from fmnist_cli.evaluate.metrics import auroc
from fmnist_cli.export.graph import GraphBuilder, serialize
from fmnist_cli.inference.models import open_part
from fmnist_cli.inference.ood import PART, SHARES, Guard
from fmnist_cli.manifest import Manifest
from fmnist_cli.ood.fit import GuardNet, Outcome, convert, fit, gather, make, write


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return make(data(), steps=60, report=lambda _line: None)


@pytest.fixture(scope="module")
def folder(outcome: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, and the guard beside it."""
    folder = write_exported(tmp_path_factory.mktemp("exported"))
    write(outcome, folder, images(80, seed=3).pixels)
    return folder


@pytest.fixture(scope="module")
def guard(folder: Path) -> Guard:
    return Guard(open_part(PART, folder))


def test_it_tells_what_it_learned(outcome: Outcome) -> None:
    known = images(60, seed=5).pixels
    strange = np.random.default_rng(1).integers(0, 256, (60, 28, 28)).astype(np.uint8)
    with torch.inference_mode():
        scores = [outcome.network(torch.from_numpy(part)).numpy() for part in (known, strange)]
    assert auroc(*scores) > 0.95
    assert set(outcome.card.quantiles) == {"frame"}
    assert len(outcome.card.quantiles["frame"]) == len(SHARES)


def test_the_same_seed_gives_the_same_weights() -> None:
    examples = gather(data(60, 30).train, seed=2, report=lambda _line: None)
    first, same = (fit(examples, seed=4, steps=5) for _ in range(2))
    assert all(map(torch.equal, first.state_dict().values(), same.state_dict().values()))


def test_the_graph_says_what_the_network_says(
    outcome: Outcome, folder: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    verification = Manifest.read(folder).parts[PART].verification
    assert verification["images"] == 33 + 2 + 80
    assert verification["max_difference"] < 1e-3
    assert guard.card == outcome.card
    other = convert(GuardNet().eval())
    monkeypatch.setattr("fmnist_cli.ood.fit.convert", lambda _network: other)
    with pytest.raises(VerificationError, match="not written"):
        write(outcome, tmp_path, images(40).pixels)
    assert not list(tmp_path.iterdir())


def test_the_same_guard_gives_the_same_bytes(outcome: Outcome, folder: Path) -> None:
    content = (folder / "guard.onnx").read_bytes()
    assert serialize(convert(outcome.network), outcome.card) == content


def test_novelty_does_not_depend_on_the_batch(guard: Guard) -> None:
    _check_alignment(guard, images(40, seed=7).pixels)


def _check_alignment(guard: Guard, pixels: Pixels) -> None:
    """Bit for bit, in batches of any even length."""
    pairs = [guard.novelty(pixels[at : at + 2]) for at in range(0, len(pixels), 2)]
    expected = np.concatenate(pairs)
    for size in (4, 6, 16, 40):
        parts = [guard.novelty(pixels[at : at + size]) for at in range(0, len(pixels), size)]
        assert np.array_equal(np.concatenate(parts), expected), size


def test_the_shipped_guard_does_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (40, 28, 28), np.uint8)
    _check_alignment(Guard(open_part(PART)), np.concatenate([images(40).pixels, noise]))


def test_it_stands_beside_the_models_and_is_used(folder: Path) -> None:
    manifest = Manifest.read(folder)
    assert list(manifest.models) == ["cnn"]
    assert manifest.parts[PART].metrics["test_accepted_at_0.95"] > 0.5
    noise = np.random.default_rng(2).integers(0, 256, (20, 28, 28), np.uint8)
    rows = list(fmnist_cli.classify(noise, "cnn", models_dir=folder, unknown=True))
    assert [row.label for row in rows] == ["unknown"] * 20  # type: ignore[union-attr]


def test_a_graph_without_classes_gives_novelty() -> None:
    graph = GraphBuilder()
    numbers = graph.add("Cast", "pixels", to=1)
    model = graph.build(graph.add("ReduceMax", numbers, keepdims=0), None)
    assert [value.name for value in model.graph.output] == ["novelty"]


def test_the_command_makes_one(run_fmnist: object, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_files(tmp_path / "data", 120, 60)
    done = run_fmnist(  # type: ignore[operator]
        "train-guard",
        *("--steps", "3", "--data-dir", tmp_path / "data", "-o", tmp_path / "out"),
    )
    assert done.code == 0, done.stderr
    assert Manifest.read(tmp_path / "out").parts[PART].training["steps"] == 3
