"""Scores of strangeness from the shipped residual network, to compare a guard with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.neighbors import NearestNeighbors

from fmnist_cli.contract import Pixels
from fmnist_cli.data.dataset import load_split
from fmnist_cli.inference.models import open_model
from fmnist_cli.training.restore import restore

RESNET = "resnet"
REFERENCES = 8_000  # training images
NEIGHBOURS = 5
_STAGES = (3, 4, 5)  # the parts of the network whose outputs are looked at: stem and both stages

Floats = npt.NDArray[np.float32]
Score = Callable[[Pixels], Floats]


class _Features:
    """uint8 [N, 28, 28] → means over each stage's maps, and the logits; the last is kept."""

    def __init__(self) -> None:
        self._network = restore(open_model(RESNET))
        self._last: tuple[Pixels, list[Floats]] | None = None

    def __call__(self, pixels: Pixels) -> list[Floats]:
        if self._last is None or self._last[0] is not pixels:
            parts = [self._of(pixels[at : at + 250]) for at in range(0, len(pixels), 250)]
            self._last = pixels, [np.concatenate(stage) for stage in zip(*parts, strict=True)]
        return self._last[1]

    @torch.inference_mode()
    def _of(self, pixels: Pixels) -> list[Floats]:
        values = self._network.normalize(torch.from_numpy(np.array(pixels)))
        means = []
        layers: Any = self._network.network
        for index, layer in enumerate(layers):
            values = layer(values)
            if index in _STAGES:
                means.append(values.mean(dim=(2, 3)).numpy())
        return [*means, values.numpy()]


def _inverse(covariance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of a covariance, with a thousandth of its mean variance added."""
    size = len(covariance)
    return np.linalg.inv(covariance + np.eye(size) * np.trace(covariance) / size / 1000)


def _length(offsets: npt.NDArray[np.float64], inverse: npt.NDArray[np.float64]) -> Any:
    return np.einsum("ni,ij,nj->n", offsets, inverse, offsets)


def _mahalanobis(features: Floats, labels: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """Distances to the nearest class mean, and to the mean of all."""
    points = features.astype(np.float64)
    means = np.stack([points[labels == c].mean(axis=0) for c in np.unique(labels)])
    within = _inverse(np.cov((points - means[labels]).T))
    overall, total = points.mean(axis=0), _inverse(np.cov(points.T))

    def nearest(queries: Floats) -> Any:
        return np.min([_length(queries - mean, within) for mean in means], axis=0)

    def whole(queries: Floats) -> Any:
        return _length(queries - overall, total)

    return nearest, whole


def _unit(features: Floats) -> Floats:
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), np.float32)


def resnet_scores() -> dict[str, Score]:
    """Each score by name."""
    features = _Features()
    train = load_split("train")
    chosen = np.random.default_rng(0).permutation(len(train))[:REFERENCES]
    reference = features(train.pixels[chosen])
    labels = train.labels[chosen]

    def energy(pixels: Pixels) -> Floats:
        logits = features(pixels)[-1]
        highest = logits.max(axis=1)
        spread = np.log(np.exp(logits - highest[:, None]).sum(axis=1))
        return np.asarray(-(highest + spread), np.float32)

    scores: dict[str, Score] = {"energy": energy}
    for number, name in enumerate(("stem", "first stage", "last stage")):
        nearest, whole = _mahalanobis(reference[number], labels)
        search = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(_unit(reference[number]))
        scores |= {
            f"Mahalanobis, {name}": lambda p, n=number, f=nearest: f(features(p)[n]),
            f"relative Mahalanobis, {name}": lambda p, n=number, f=nearest, g=whole: (
                f(features(p)[n]) - g(features(p)[n])
            ),
            f"nearest neighbours, {name}": lambda p, n=number, s=search: s.kneighbors(
                _unit(features(p)[n])
            )[0][:, -1],
        }
    return scores
