"""The fitted guard → `guard.onnx` and its entry in the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fmnist_cli.contract import INPUT_NAME, NOVELTY_NAME, Pixels
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.errors import VerificationError
from fmnist_cli.export.graph import serialize
from fmnist_cli.export.part import write_part
from fmnist_cli.export.torch_export import graph_of
from fmnist_cli.inference.guard import KNOWN_SHARE, PART, Guard, GuardCard
from fmnist_cli.inference.store import ModelFile
from fmnist_cli.manifest import Part
from fmnist_cli.ood.fit import GuardNet, Outcome

_ATOL = 2e-3  # |PyTorch − ONNX Runtime| of a novelty, which goes from about -20 to 20
_BATCH = 256


def convert(network: GuardNet, card: GuardCard) -> bytes:
    """The graph: ``pixels`` uint8 [N, 28, 28] → ``novelty`` float32 [N]; same in, same bytes."""
    return serialize(graph_of(network, (SIDE, SIDE), INPUT_NAME, [NOVELTY_NAME]), card)


def verify(network: GuardNet, guard: Guard, pixels: Pixels) -> float:
    """The largest difference between network and graph, over these images and over noise.

    Raises:
        VerificationError: it is too large.
    """
    noise = np.random.default_rng(0).integers(0, 256, (33, SIDE, SIDE), np.uint8)
    difference = 0.0
    for batch in (pixels, noise, noise[:1], noise[:2], np.zeros((2, SIDE, SIDE), np.uint8)):
        with torch.inference_mode():
            expected = network(torch.from_numpy(np.array(batch))).numpy()
        difference = max(difference, float(np.abs(expected - guard.novelty(batch)).max()))
    if not difference <= _ATOL:
        raise VerificationError(
            f"{PART}: the graph differs from the network by {difference:.1e} (at most {_ATOL:.0e});"
            " it was not written"
        )
    return difference


def write(outcome: Outcome, out: Path, test: Pixels) -> Part:
    """Write ``out/guard.onnx`` and note it in the manifest there.

    Args:
        outcome: what `fmnist_cli.ood.fit.make` made.
        out: folder of the models.
        test: test images uint8 [N, 28, 28], to verify the graph and to count how many it accepts.

    Raises:
        VerificationError: the graph does not compute what the network does.
    """
    content = convert(outcome.network, outcome.card)
    guard = Guard(ModelFile.of(PART, out / f"{PART}.onnx", content))
    difference = verify(outcome.network, guard, test[:2_000])
    starts = range(0, len(test), _BATCH)
    novelty = np.concatenate([guard.novelty(test[at : at + _BATCH]) for at in starts])
    metrics: dict[str, Any] = {
        **outcome.metrics,
        "test_images": len(test),
        f"test_accepted_at_{KNOWN_SHARE}": float(np.mean(novelty <= guard.limit("frame"))),
        "max_difference": difference,
    }
    title = "Whether a picture shows a garment that the models know"
    return write_part(PART, title, content, out, metrics, outcome.training)
