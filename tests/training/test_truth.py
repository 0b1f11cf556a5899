"""Sets of right classes: the loss asks for any of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from fmnist_cli.training.torch_fit import hits, loss


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
