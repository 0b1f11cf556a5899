"""Fitting the network to masks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from fmnist_cli.isolate.network import IsolateNet
from fmnist_cli.isolate.views import Photos, view
from fmnist_cli.training.optimizer import moving_average
from fmnist_cli.training.torch_fit import one_cycle

SIDE = 128
_BATCH = 32


def fit(
    photos: Photos,
    *,
    epochs: int,
    seed: int = 0,
    learning_rate: float = 3e-3,
    report: Callable[[str], None] = print,
) -> IsolateNet:
    """A network whose weights are the moving average at the end.

    Loss: cross-entropy by pixel and soft Dice by photo (Milletari et al. 2016), which does
    not let small garments drown.
    """
    torch.manual_seed(seed)
    network = IsolateNet().to(memory_format=torch.channels_last)
    averaged = AveragedModel(network, multi_avg_fn=moving_average(0.995), use_buffers=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=0.02)
    count = len(photos.images)
    steps = math.ceil(count / _BATCH)
    for epoch in range(epochs):
        started = time.monotonic()
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(count, generator=generator)
        network.train()
        total = 0.0
        for step in range(steps):
            rate = learning_rate * one_cycle((epoch + step / steps) / epochs)
            optimizer.param_groups[0]["lr"] = rate
            images, masks = view(
                photos, order[step * _BATCH : (step + 1) * _BATCH], SIDE, generator
            )
            logits = network.logits(images)
            found = torch.sigmoid(logits)
            both = (found * masks).sum(dim=(1, 2))
            dice = 1 - (2 * both + 1) / ((found + masks).sum(dim=(1, 2)) + 1)
            loss = functional.binary_cross_entropy_with_logits(logits, masks) + dice.mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            averaged.update_parameters(network)
            total += loss.item()
        seconds = time.monotonic() - started
        report(f"epoch {epoch + 1}/{epochs}: loss {total / steps:.4f} ({seconds:.0f} s)")
    network.load_state_dict(averaged.module.state_dict())
    return network.eval()
