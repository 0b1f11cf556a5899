"""From the data set to a fitted guard and its limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

from fmnist_cli import __version__
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.evaluate.metrics import quantiles
from fmnist_cli.guard.examples import gather, histograms
from fmnist_cli.guard.fit import STANDARD, Schedule, fit, novelty
from fmnist_cli.guard.network import GuardNet
from fmnist_cli.inference.guard import SHARES, GuardCard
from fmnist_cli.machine import Machine
from fmnist_cli.training.job import TrainingData


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
        "machine": asdict(Machine.current("cpu")),
        "version": __version__,
    }
    return Outcome(network, card, {"validation_images": len(data.validation)}, training)
