"""The fitted guard → `guard.onnx` and its entry in the manifest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from fmnist_cli.contract import NOVELTY_NAME, Novelty, Pixels
from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.export.convert import graph_of
from fmnist_cli.export.graph import serialize
from fmnist_cli.export.run import VERIFIED_IMAGES, verify, write_graph
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.ood import KNOWN_SHARE, PART, Guard
from fmnist_cli.manifest import Entry
from fmnist_cli.ood.fit import GuardNet, Outcome

_ATOL = 2e-3  # |PyTorch − ONNX Runtime| of a novelty, which goes from about -20 to 20
_BATCH = 256


def convert(network: GuardNet) -> onnx.ModelProto:
    """The graph: ``pixels`` uint8 [N, 28, 28] → ``novelty`` float32 [N]; same in, same bytes."""
    return graph_of(network, (SIDE, SIDE), [NOVELTY_NAME])


def write(outcome: Outcome, out: Path, test: Pixels) -> Entry:
    """Write ``out/guard.onnx`` and note it in the manifest there.

    Args:
        outcome: what `fmnist_cli.ood.fit.make` made.
        out: folder of the models.
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
