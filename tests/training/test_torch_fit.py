"""The training loop: it learns, repeats itself, resumes as if never interrupted; its parts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import data
from torch import nn
from torch.nn import functional

from fmnist_cli.errors import TrainingError
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import TorchRecipe, get_spec
from fmnist_cli.training.frame_fit import fit_network
from fmnist_cli.training.job import Fit, Job, Order
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch
from fmnist_cli.training.torch_fit import (
    Muon,
    TorchModel,
    hits,
    loss,
    moving_average,
    one_cycle,
    optimizers,
    orthogonalized,
    predict_probabilities,
)

# No mirroring: it would swap the classes of the synthetic images.
RECIPE = TorchRecipe(epochs=3, batch_size=20, ema_decay=0.5, translate=1, flip=False, erase=0.2)


class StopsAfter(Reporter):
    """Interrupts in the middle of the epoch after the given one."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self._epoch = epoch
        self._seen = 0

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        self._seen = epoch.epoch

    def step(self, text: str) -> None:
        if self._seen >= self._epoch:
            raise KeyboardInterrupt


def network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.1),
        nn.Linear(784, 10),
    )  # fmt: skip


def order(
    folder: Path,
    recipe: TorchRecipe = RECIPE,
    *,
    seed: int = 0,
    resume: bool = False,
    stop: int | None = None,
) -> Order:
    return Order(
        Job(get_spec("mlp"), "quick", recipe, seed),
        data(),
        folder,
        identity={"model": "tiny", "seed": seed},
        parents=(),
        device=torch.device("cpu"),
        resume=resume,
        reporter=Reporter() if stop is None else StopsAfter(stop),
    )


def fit(folder: Path, *, seed: int = 0, resume: bool = False, stop: int | None = None) -> Fit:
    return fit_network(network(), order(folder, seed=seed, resume=resume, stop=stop))


def weights(result: Fit) -> dict[str, torch.Tensor]:
    assert isinstance(result.native, TorchModel)
    return result.native.network.state_dict()


def same(one: Fit, other: Fit) -> bool:
    pairs = zip(weights(one).values(), weights(other).values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_it_learns_and_records_each_epoch(tmp_path: Path) -> None:
    result = fit(tmp_path)
    assert [epoch.epoch for epoch in result.history] == [1, 2, 3]
    assert result.history[-1].validation_accuracy > 0.9
    assert result.history[-1].train_loss < result.history[0].train_loss
    best = max(epoch.validation_accuracy for epoch in result.history)
    assert result.history[result.best_epoch - 1].validation_accuracy == best


def test_a_seed_gives_the_same_weights_and_another_others(tmp_path: Path) -> None:
    first, again = fit(tmp_path / "a"), fit(tmp_path / "b")
    assert same(first, again)
    assert not same(first, fit(tmp_path / "c", seed=1))


@pytest.mark.parametrize("stop", [1, 2])
def test_resumed_equals_uninterrupted(tmp_path: Path, stop: int) -> None:
    whole = fit(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "cut", stop=stop)
    resumed = fit(tmp_path / "cut", resume=True)
    assert same(whole, resumed)
    assert [e.validation_loss for e in resumed.history] == [
        e.validation_loss for e in whole.history
    ]


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, stop=1)
    with pytest.raises(TrainingError, match=r"cannot resume: .* seed 0, not 1"):
        fit(tmp_path, seed=1, resume=True)
    assert same(fit(tmp_path, resume=True), fit(tmp_path / "fresh"))


def test_the_learning_rate_warms_up_and_falls_to_zero() -> None:
    rates = [one_cycle(p) for p in np.linspace(0, 1, 101)]
    top = int(np.argmax(rates))
    assert rates[top] == pytest.approx(1)
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)


def test_temperature_softens_an_overconfident_network(tmp_path: Path) -> None:
    class Overconfident(nn.Module):
        """Right in about 80 of 100 cases, and sure of it every time."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([[30.0]]))

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            noise = torch.Generator().manual_seed(len(features))
            wrong = torch.rand(len(features), generator=noise) < 0.2
            truth = torch.arange(len(features)) % 10
            claimed = torch.where(wrong, (truth + 3) % 10, truth)
            return nn.functional.one_hot(claimed, 10) * self.scale[0]

    recipe = TorchRecipe(epochs=1, learning_rate=0.0, translate=0, flip=False)
    result = fit_network(Overconfident(), order(tmp_path, recipe))
    assert result.temperature > 3
    assert weights(result)["temperature"].item() == pytest.approx(result.temperature)


def test_probabilities_of_read_only_pixels() -> None:
    pixels = data().train.pixels[:7].copy()
    pixels.flags.writeable = False
    probabilities = predict_probabilities(PixelClassifier(network()), pixels, batch_size=3)
    assert probabilities.shape == (7, 10)
    assert math.isclose(float(probabilities.sum()), 7, rel_tol=1e-5)


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalized(1e3 * matrix)
    values = (left.T @ result @ right.T).diagonal()
    assert values.min() > 0.5
    assert values.max() < 1.5
    assert torch.linalg.svdvals(result - left @ values.diag() @ right).max() < 0.05


def test_a_step_is_as_long_whatever_the_gradient() -> None:
    def moved(scale: float) -> torch.Tensor:
        weight = nn.Parameter(torch.zeros(8, 4, 3, 3))
        weight.grad = scale * torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(2))
        Muon([weight], lr=0.01, weight_decay=0.0).step()
        return weight.detach()

    torch.testing.assert_close(moved(1), moved(1000), rtol=1e-3, atol=1e-6)
    assert moved(1).abs().max() > 0


def test_decay_shrinks_weights_and_spares_norms() -> None:
    mixing, depthwise = nn.Conv2d(2, 4, 3, bias=False), nn.Conv2d(4, 4, 3, groups=4, bias=False)
    network = nn.Sequential(mixing, nn.BatchNorm2d(4), depthwise, nn.Flatten(), nn.Linear(4, 2))
    recipe = TorchRecipe(epochs=1, learning_rate=0.1, weight_decay=0.5, muon=True)
    adam, muon = optimizers(network, recipe)
    # A filter that sees one channel has no directions to make equal.
    assert [p is mixing.weight for g in muon.param_groups for p in g["params"]] == [True]
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    for optimizer in (adam, muon):
        optimizer.step()
    for old, new in zip(before, network.parameters(), strict=True):
        torch.testing.assert_close(new.detach(), old * (0.95 if old.ndim > 1 else 1))


def test_without_muon_there_is_one_optimizer() -> None:
    assert len(optimizers(nn.Conv2d(1, 2, 3), TorchRecipe(epochs=1))) == 1


def test_the_moving_average_follows_its_formula_and_forgets_its_start() -> None:
    decay, values = 0.99, [1.0, 4.0, 2.0, 8.0, *([3.0] * 40)]
    averaged = [torch.tensor([1000.0])]
    average, expected = moving_average(decay), 1000.0
    for count, value in enumerate(values, start=1):
        average(averaged, [torch.tensor([value])], torch.tensor(count))
        now = min(decay, (1 + count) / (10 + count))
        expected = now * expected + (1 - now) * value
        assert averaged[0].item() == pytest.approx(expected, rel=1e-4)
    # A constant decay would still hold 0.99 ** 44 = 64 % of it.
    assert averaged[0].item() < 5


def test_the_moving_average_comes_to_its_decay() -> None:
    averaged = [torch.tensor([1.0])]
    moving_average(0.9)(averaged, [torch.tensor([0.0])], torch.tensor(100_000))
    assert averaged[0].item() == pytest.approx(0.9)


def test_the_loss_of_sets_of_one_is_that_of_labels() -> None:
    torch.manual_seed(1)
    logits, labels = torch.randn(20, 12), torch.randint(0, 12, (20,))
    sets = functional.one_hot(labels, 12).bool()
    for smoothing in (0.0, 0.1):
        for reduction in ("mean", "sum"):
            one, other = (loss(logits, truth, smoothing, reduction) for truth in (labels, sets))
            assert one.item() == pytest.approx(other.item(), abs=1e-5)
    assert hits(logits, labels) == hits(logits, sets)


def test_the_loss_of_a_set_is_that_of_its_summed_probability() -> None:
    probabilities = torch.tensor([[0.5, 0.2, 0.2, 0.1]])
    logits = probabilities.log().requires_grad_()
    value = loss(logits, torch.tensor([[False, True, True, False]]))
    assert value.item() == pytest.approx(-np.log(0.4), abs=1e-6)
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
