"""Muon moves every direction of a filter bank alike, whatever its gradient's scale."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fmnist_cli.models.registry import TorchRecipe
from fmnist_cli.training.torch_fit import Muon, moving_average, optimizers, orthogonalized


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
