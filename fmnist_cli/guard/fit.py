"""Fitting the guard: known classes against drawn frames (outlier exposure, Hendrycks et al. 2019).

What that is worth is in docs/guard.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fmnist_cli.contract import Novelty
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.guard.examples import Examples
from fmnist_cli.guard.network import GuardNet
from fmnist_cli.training.torch_fit import one_cycle

_IMAGES, _DRAWN = 96, 48  # of each kind in a batch
_TOLD = 400  # steps between two reports


class Schedule(NamedTuple):
    """How long to fit.

    Attributes:
        steps: batches.
        learning_rate: the highest.
        weight_decay: of AdamW.
    """

    steps: int = 1600
    learning_rate: float = 4e-3
    weight_decay: float = 0.05


STANDARD = Schedule()


def fit(
    examples: Examples,
    *,
    seed: int = 0,
    schedule: Schedule = STANDARD,
    report: Callable[[str], None] = lambda _line: None,
) -> GuardNet:
    """A fitted network, in evaluation mode.

    Args:
        examples: what to learn from.
        seed: the same gives the same weights on the same kind of machine.
        schedule: how long.
        report: told about the loss now and then.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = GuardNet().train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=schedule.weight_decay)
    total = 0.0
    for step in range(schedule.steps):
        rate = schedule.learning_rate * one_cycle(step / schedule.steps)
        optimizer.param_groups[0]["lr"] = rate
        features, labels = _batch(examples, rng)
        value = functional.cross_entropy(network.layers(features), labels)
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += value.item()
        if (step + 1) % _TOLD == 0:
            report(f"step {step + 1:,} of {schedule.steps:,}: loss {total / _TOLD:.4f}")
            total = 0.0
    return network.eval()


def _batch(examples: Examples, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Histograms float32 [N, 784] and labels int64 [N] of some images and drawn frames."""
    images = torch.from_numpy(rng.integers(0, len(examples.images), _IMAGES))
    drawn = torch.from_numpy(rng.integers(0, len(examples.drawn), _DRAWN))
    features = torch.cat([examples.images[images], examples.drawn[drawn]])
    strange = torch.full((_DRAWN,), len(CLASS_NAMES))
    return features.float(), torch.cat([examples.labels[images], strange])


def novelty(network: GuardNet, features: Tensor, chunk: int = 2_000) -> Novelty:
    """float16 histograms [N, 784] → float32 [N]."""
    with torch.inference_mode():
        parts = [network.novelty_of(part.float()) for part in torch.split(features, chunk)]
    values: Novelty = torch.cat(parts).numpy()
    return values
