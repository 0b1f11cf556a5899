"""Fitting the guard: known classes against strange ones (outlier exposure, Hendrycks et al. 2019).

Strange garments are classes of their own, and drawn frames are one more. What that is worth, and
what each kind of example is worth, is in docs/guard.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fmnist_cli.contract import Novelty
from fmnist_cli.guard.examples import Examples
from fmnist_cli.guard.network import GuardNet
from fmnist_cli.training.torch_fit import one_cycle
from fmnist_cli.training.truth import loss

_IMAGES, _PHOTOS, _DRAWN = 96, 64, 48  # of each kind in a batch
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
    chosen: Tensor | None = None,
    *,
    seed: int = 0,
    schedule: Schedule = STANDARD,
    report: Callable[[str], None] = lambda _line: None,
) -> GuardNet:
    """A fitted network, in evaluation mode.

    Args:
        examples: what to learn from.
        chosen: int64, the photos to learn from by position; all by default.
        seed: the same gives the same weights on the same kind of machine.
        schedule: how long.
        report: told about the loss now and then.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = GuardNet(examples.known, examples.outputs - examples.known).train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=schedule.weight_decay)
    batches = _Batches(examples, chosen, rng)
    total = 0.0
    for step in range(schedule.steps):
        rate = schedule.learning_rate * one_cycle(step / schedule.steps)
        optimizer.param_groups[0]["lr"] = rate
        features, truth = batches.take()
        value = loss(network.layers(features), truth)
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += value.item()
        if (step + 1) % _TOLD == 0:
            report(f"step {step + 1:,} of {schedule.steps:,}: loss {total / _TOLD:.4f}")
            total = 0.0
    return network.eval()


class _Batches:
    """Batches of training images, photos and drawn frames, and what is right of each."""

    def __init__(self, examples: Examples, chosen: Tensor | None, rng: np.random.Generator) -> None:
        self._examples = examples
        self._rng = rng
        self._positions = np.zeros(0, np.int64)
        if examples.photos is not None:
            every = torch.arange(len(examples.photos.members))
            self._positions = (every if chosen is None else chosen).numpy()
            folders = examples.photos.members.numpy()[self._positions]
            # Rare folders more often than they are, and common ones still more often than those.
            weights = 1 / np.sqrt(np.bincount(folders)[folders])
            self._shares = weights / weights.sum()

    def take(self) -> tuple[Tensor, Tensor]:
        """Histograms float32 [N, 784] and truth bool [N, outputs]."""
        examples, rng = self._examples, self._rng
        at = torch.from_numpy(rng.integers(0, len(examples.images), _IMAGES))
        features = [examples.images[at]]
        truth = [functional.one_hot(examples.labels[at], examples.outputs).bool()]
        if examples.photos is not None:
            photos = torch.from_numpy(rng.choice(self._positions, _PHOTOS, p=self._shares))
            features.append(examples.views[rng.integers(len(examples.views))][photos])
            truth.append(examples.photos.truth[photos])
        drawn = torch.from_numpy(rng.integers(0, len(examples.drawn), _DRAWN))
        features.append(examples.drawn[drawn])
        strange = torch.zeros(_DRAWN, examples.outputs, dtype=torch.bool)
        strange[:, -1] = True
        return torch.cat(features).float(), torch.cat([*truth, strange])


def novelty(network: GuardNet, features: Tensor, chunk: int = 2_000) -> Novelty:
    """float16 histograms [N, 784] → float32 [N]."""
    with torch.inference_mode():
        parts = [network.novelty_of(part.float()) for part in torch.split(features, chunk)]
    values: Novelty = torch.cat(parts).numpy()
    return values
