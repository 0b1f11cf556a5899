"""A mixture's probabilities are those of its networks, by the share that the gate gives them."""

from __future__ import annotations

import pytest
import torch

from fmnist_cli.models.gated import mixed


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_probabilities_are_mixed(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    known, trained = scale * torch.randn(2, 50, 10, generator=generator, dtype=torch.float64)
    gate = scale * torch.randn(50, 1, generator=generator, dtype=torch.float64)
    share = torch.sigmoid(gate)
    expected = (1 - share) * known.softmax(dim=1) + share * trained.softmax(dim=1)
    torch.testing.assert_close(mixed(known, trained, gate).exp(), expected)


def test_what_no_network_can_say_stays_finite() -> None:
    sure = torch.tensor([[200.0, 0.0]])
    result = mixed(sure, sure, torch.tensor([[500.0]]))
    torch.testing.assert_close(result, torch.tensor([[0.0, -200.0]]))
