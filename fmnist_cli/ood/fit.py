"""The out-of-distribution detector: its network, what it learns from, and fitting it.

It learns the known classes and, as one class more, drawn frames (outlier exposure, Hendrycks et
al. 2019). What that is worth is in docs/research/guard.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli import __version__
from fmnist_cli.contract import Novelty, Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.evaluate.metrics import quantiles
from fmnist_cli.inference.ood import SHARES, GuardCard
from fmnist_cli.machine import Machine
from fmnist_cli.models.network import Hog
from fmnist_cli.ood.drawn import draw
from fmnist_cli.training.job import TrainingData
from fmnist_cli.training.torch_fit import one_cycle

DRAWN = 3_000  # frames of each family, or as many as there are training images
_IMAGES, _DRAWN = 96, 48  # of each kind in a batch
_TOLD = 400  # steps between two reports


class GuardNet(nn.Module):
    """Tells the known classes and what is none of them, the last, from each other.

    Args:
        width: of both hidden layers.
    """

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.hog = Hog()
        self.layers = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(self.hog.size, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(width, len(CLASS_NAMES) + 1),
        )

    def histograms(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → float32 [N, 784]; nothing in it is learned."""
        grey = pixels.to(torch.float32).unsqueeze(1) / 255
        features: Tensor = self.hog(grey)
        return features

    def novelty_of(self, histograms: Tensor) -> Tensor:
        """float32 [N, 784] → float32 [N]: the log of the odds that it is of no known class."""
        logits = self.layers(histograms)
        novelty: Tensor = logits[:, -1] - torch.logsumexp(logits[:, :-1], dim=1)
        return novelty

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → novelty float32 [N]."""
        return self.novelty_of(self.histograms(pixels))


class Examples(NamedTuple):
    """Histograms float16 [N, 784] of all that a guard learns from.

    Attributes:
        images: of the training images, each second one mirrored.
        labels: int64 [N], the class of each.
        drawn: of frames that show no garment, family after family; their class is the last.
    """

    images: Tensor
    labels: Tensor
    drawn: Tensor


def histograms(pixels: Pixels, chunk: int = 64) -> Tensor:
    """uint8 [N, 28, 28] → float16 [N, 784]; a chunk that fits the cache is faster."""
    network = GuardNet()
    result = torch.empty(len(pixels), network.hog.size, dtype=torch.float16)
    with torch.inference_mode():
        for start in range(0, len(pixels), chunk):
            part = torch.from_numpy(np.array(pixels[start : start + chunk]))
            result[start : start + chunk] = network.histograms(part)
    return result


def gather(train: LabelledImages, *, seed: int, report: Callable[[str], None]) -> Examples:
    """Draw, and compute histograms.

    Args:
        train: Fashion-MNIST's training images.
        seed: of everything drawn.
        report: told what is being done.
    """
    report(f"histograms of {len(train):,} images and of what is no garment")
    frames = draw(seed, min(DRAWN, len(train)), train.pixels)
    images = np.array(train.pixels)
    images[1::2] = images[1::2, :, ::-1].copy()
    return Examples(
        histograms(images),
        torch.from_numpy(np.array(train.labels)),
        torch.cat([histograms(part) for part in frames.values()]),
    )


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


class Outcome(NamedTuple):
    """A fitted guard, its card, and how it came to be, as JSON values."""

    network: GuardNet
    card: GuardCard
    metrics: dict[str, Any]
    training: dict[str, Any]


def make(
    data: TrainingData,
    *,
    seed: int = 0,
    schedule: Schedule = STANDARD,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Fit a guard on the training images; its limits are of the validation images.

    Args:
        data: training and validation images.
        seed: of everything random.
        schedule: how long to fit.
        report: told what is being done.
    """
    started = time.monotonic()
    examples = gather(data.train, seed=seed, report=report)
    report("fitting")
    network = fit(examples, seed=seed, schedule=schedule, report=report)
    validation = novelty(network, histograms(data.validation.pixels))
    card = GuardCard(__version__, CLASS_NAMES, {"frame": quantiles(validation, SHARES)})
    training = {
        "seed": seed,
        **schedule._asdict(),
        "data": data.checksum,
        "seconds": round(time.monotonic() - started),
        "machine": Machine.current("cpu")._asdict(),
        "version": __version__,
    }
    return Outcome(network, card, {"validation_images": len(data.validation)}, training)
