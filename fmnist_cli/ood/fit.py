"""The out-of-distribution detector: its network, what it learns from, fitting and exporting it.

It learns the known classes and, as one class more, drawn frames (outlier exposure, Hendrycks et
al. 2019). What that is worth is in docs/research/guard.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli import __version__
from fmnist_cli.contract import NOVELTY_NAME, Novelty, Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, SIDE
from fmnist_cli.evaluate.metrics import quantiles
from fmnist_cli.export.convert import graph_of
from fmnist_cli.export.graph import serialize
from fmnist_cli.export.run import VERIFIED_IMAGES, verify, write_graph
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.ood import KNOWN_SHARE, PART, SHARES, Guard, GuardCard
from fmnist_cli.machine import Machine
from fmnist_cli.manifest import Entry
from fmnist_cli.models.features import HogFeatures
from fmnist_cli.models.network import Hog
from fmnist_cli.ood.drawn import draw
from fmnist_cli.training.job import TrainingData
from fmnist_cli.training.torch_fit import one_cycle

DRAWN = 3_000  # frames of each family, or as many as there are training images
STEPS = 1600
_LEARNING_RATE = 4e-3  # the highest
_WEIGHT_DECAY = 0.05  # of AdamW
_IMAGES, _DRAWN = 96, 48  # of each kind in a batch
_TOLD = 400  # steps between two reports
_ATOL = 2e-3  # |PyTorch − ONNX Runtime| of a novelty, which goes from about -20 to 20
_BATCH = 256


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

    def novelty_of(self, histograms: Tensor) -> Tensor:
        """float32 [N, 784] → float32 [N]: the log of the odds that it is of no known class."""
        logits = self.layers(histograms)
        novelty: Tensor = logits[:, -1] - torch.logsumexp(logits[:, :-1], dim=1)
        return novelty

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 [N, 28, 28] → novelty float32 [N]."""
        return self.novelty_of(self.hog(pixels.to(torch.float32).unsqueeze(1) / 255))


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


def histograms(pixels: Pixels) -> Tensor:
    """uint8 [N, 28, 28] → float16 [N, 784]; nothing in it is learned."""
    return torch.from_numpy(HogFeatures().transform(pixels)).half()


def gather(train: LabelledImages, *, seed: int, report: Callable[[str], None]) -> Examples:
    """Draw, and compute histograms.

    Args:
        seed: of everything drawn.
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


def fit(
    examples: Examples,
    *,
    seed: int = 0,
    steps: int = STEPS,
    report: Callable[[str], None] = lambda _line: None,
) -> GuardNet:
    """A fitted network, in evaluation mode.

    Args:
        seed: the same gives the same weights on the same kind of machine.
        steps: batches.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = GuardNet().train()
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=_WEIGHT_DECAY)
    total = 0.0
    for step in range(steps):
        rate = _LEARNING_RATE * one_cycle(step / steps)
        optimizer.param_groups[0]["lr"] = rate
        features, labels = _batch(examples, rng)
        value = functional.cross_entropy(network.layers(features), labels)
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += value.item()
        if (step + 1) % _TOLD == 0:
            report(f"step {step + 1:,} of {steps:,}: loss {total / _TOLD:.4f}")
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
    steps: int = STEPS,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Fit a guard on the training images; its limits are of the validation images.

    Args:
        seed: of everything random.
        steps: batches to fit on.
    """
    started = time.monotonic()
    examples = gather(data.train, seed=seed, report=report)
    report("fitting")
    network = fit(examples, seed=seed, steps=steps, report=report)
    validation = novelty(network, histograms(data.validation.pixels))
    card = GuardCard(__version__, CLASS_NAMES, {"frame": quantiles(validation, SHARES)})
    training = {
        "seed": seed,
        "steps": steps,
        "learning_rate": _LEARNING_RATE,
        "weight_decay": _WEIGHT_DECAY,
        "data": data.checksum,
        "seconds": round(time.monotonic() - started),
        "machine": Machine.current("cpu")._asdict(),
        "version": __version__,
    }
    return Outcome(network, card, {"validation_images": len(data.validation)}, training)


def convert(network: GuardNet) -> onnx.ModelProto:
    """The graph: ``pixels`` uint8 [N, 28, 28] → ``novelty`` float32 [N]; same in, same bytes."""
    return graph_of(network, (SIDE, SIDE), [NOVELTY_NAME])


def write(outcome: Outcome, out: Path, test: Pixels) -> Entry:
    """Write ``out/guard.onnx`` and note it in the manifest there.

    Args:
        test: test images uint8 [N, 28, 28], to verify the graph and to count how many it accepts.

    Raises:
        VerificationError: the graph does not compute what the network does.
    """
    graph = convert(outcome.network)
    content = serialize(graph, outcome.card)
    guard = Guard(ModelFile.of(PART, out / f"{PART}.onnx", content))

    def native(pixels: Pixels) -> Novelty:
        with torch.inference_mode():
            novelty: Novelty = outcome.network(torch.from_numpy(np.array(pixels))).numpy()
        return novelty

    noise = np.random.default_rng(0).integers(0, 256, (33, SIDE, SIDE), np.uint8)
    black = np.zeros((2, SIDE, SIDE), np.uint8)
    pixels = np.concatenate([noise, black, test[:VERIFIED_IMAGES]])
    verification = verify(PART, native, guard.novelty, pixels, _ATOL)
    starts = range(0, len(test), _BATCH)
    novelty = np.concatenate([guard.novelty(test[at : at + _BATCH]) for at in starts])
    metrics: dict[str, Any] = {
        **outcome.metrics,
        "test_images": len(test),
        f"test_accepted_at_{KNOWN_SHARE}": float(np.mean(novelty <= guard.limit("frame"))),
    }
    return write_graph(
        out,
        PART,
        graph,
        outcome.card,
        part=True,
        title="Whether a picture shows a garment that the models know",
        metrics=metrics,
        verification=asdict(verification),
        training=outcome.training,
    )
