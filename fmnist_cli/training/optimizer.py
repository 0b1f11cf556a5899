"""Optimizers of the PyTorch models: AdamW, and Muon for filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from fmnist_cli.models.registry import TorchRecipe

_MOMENTUM = 0.95
_ROUNDS = 5
# Quintic iteration that moves singular values quickly near 1 (Jordan et al. 2024).
_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalized(matrix: Tensor) -> Tensor:
    """About U·Vᵀ of float32 [M, N] = U·S·Vᵀ, by Newton–Schulz iteration."""
    wide: Tensor = matrix / (matrix.norm() + 1e-7)
    tall = len(matrix) > matrix.shape[1]
    if tall:
        wide = wide.T
    first, third, fifth = _QUINTIC
    for _ in range(_ROUNDS):
        gram = wide @ wide.T
        wide = first * wide + (third * gram + fifth * gram @ gram) @ wide
    return wide.T if tall else wide


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised per filter bank (Jordan et al. 2024), for weights of any rank.

    `torch.optim.Muon` takes matrices only; a convolution's weight [out, in, k, k] counts as a
    matrix [out, in·k·k] here. Steps are as long as AdamW's usual ones (Liu et al. 2025), so
    that both share a learning rate.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every weight that has a gradient."""
        assert closure is None  # noqa: S101  (part of the interface, without use here)
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - _MOMENTUM)
                ahead = weight.grad.lerp(state["momentum"], _MOMENTUM)  # Nesterov
                update = orthogonalized(ahead.reshape(len(weight), -1))
                length = group["lr"] * 0.2 * max(update.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(update.reshape(weight.shape), alpha=length)


def optimizers(model: nn.Module, recipe: TorchRecipe) -> list[torch.optim.Optimizer]:
    """What moves the model's weights; biases and norms are spared weight decay."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    spared = [p for p in model.parameters() if p.ndim <= 1]
    filters = [p for p in weights if p.ndim == 4 and p.shape[1] > 1] if recipe.muon else []
    chosen = {id(p) for p in filters}
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in weights if id(p) not in chosen],
            "weight_decay": recipe.weight_decay,
        },
        {"params": spared, "weight_decay": 0.0},
    ]
    result: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=recipe.learning_rate)]
    if filters:
        result.append(Muon(filters, recipe.learning_rate, recipe.weight_decay))
    return result


Tensors = tuple[Tensor, ...] | list[Tensor]


def moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Exponential moving average that forgets its start, as TensorFlow's does by `num_updates`.

    Variances of normalisations start at one. Where the true ones are small, as behind depthwise
    convolutions, a constant decay would need tens of thousands of steps to leave that behind.
    """

    def average(averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
        count = float(updates)
        now = min(decay, (1 + count) / (10 + count))
        get_ema_multi_avg_fn(now)(averaged, current, updates)  # type: ignore[no-untyped-call]

    return average
