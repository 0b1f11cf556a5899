"""How far a map says what the network goes by: pixels are taken out and put in by its ranking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels, Pixels, Probabilities
from fmnist_cli.explain.controls import Maps

Predict = Callable[[Pixels], Probabilities]  # uint8 [N, H, W] → float32 [N, classes]
Baseline = Literal["blurred", "black"]
Scores = npt.NDArray[np.float64]  # [N], one per image

STEPS = 8  # of equally many pixels each
BLUR = 3.0  # pixels; the garment is still there, what tells it from others is not


def baseline_of(pixels: Pixels, baseline: Baseline) -> Pixels:
    """What takes the place of pixels that are out: uint8 [N, H, W]."""
    if baseline == "black":
        return np.zeros_like(pixels)
    return np.stack([cv2.GaussianBlur(image, (0, 0), BLUR) for image in pixels])


def ranks(maps: Maps, seed: int = 0) -> npt.NDArray[np.int64]:
    """Place of every pixel by its value, 0 the highest; int64 [N, H, W].

    Ties, of which maps with zeros have many, are drawn by lot.
    """
    flat = maps.reshape(len(maps), -1)
    lots = np.random.default_rng(seed).random(flat.shape)
    order = np.lexsort((lots, -flat), axis=1)
    places = np.empty_like(order)
    every = np.broadcast_to(np.arange(order.shape[1]), order.shape)
    np.put_along_axis(places, order, every, axis=1)
    return places.reshape(maps.shape)


def curves(
    predict: Predict, pixels: Pixels, maps: Maps, targets: Labels, baseline: Baseline
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probability of the target class while pixels are deleted, and while they are inserted.

    Petsiuk, Das and Saenko 2018 (arXiv 1806.07421), in `STEPS` steps, the highest pixels first.

    Returns:
        Deletion and insertion, each float64 [STEPS + 1, N], 0 to 1.
    """
    places, out = ranks(maps), baseline_of(pixels, baseline)
    count = places[0].size
    deletion, insertion = np.empty((2, STEPS + 1, len(pixels)))
    deletion[0] = insertion[-1] = _of_target(predict(pixels), targets)
    deletion[-1] = insertion[0] = _of_target(predict(out), targets)
    for step in range(1, STEPS):
        first = places < count * step // STEPS
        deletion[step] = _of_target(predict(np.where(first, out, pixels)), targets)
        insertion[step] = _of_target(predict(np.where(first, pixels, out)), targets)
    return deletion, insertion


def area(curve: npt.NDArray[np.float64]) -> Scores:
    """Area below each column of a curve over the share of pixels, by trapezoids; 0 to 1."""
    under: Scores = (curve[:-1] + curve[1:]).mean(axis=0) / 2
    return under


def perturbation(
    predict: Predict, pixels: Pixels, maps: Maps, targets: Labels, baseline: Baseline
) -> Mapping[str, Scores]:
    """Deletion (lower is better) and insertion AUC (higher is better) of each image."""
    deletion, insertion = curves(predict, pixels, maps, targets, baseline)
    return {f"deletion_{baseline}": area(deletion), f"insertion_{baseline}": area(insertion)}


def masking(predict: Predict, pixels: Pixels, maps: Maps, targets: Labels) -> Mapping[str, Scores]:
    """What is left when each image is multiplied by its map (Chattopadhay et al. 2018).

    Returns:
        ``drop``: share of the target's probability that is lost, 0 to 1, lower is better;
        ``increase``: 1 where it rises, higher is better.
    """
    before = _of_target(predict(pixels), targets)
    after = _of_target(predict(np.rint(pixels * maps).astype(np.uint8)), targets)
    return {
        "drop": np.maximum(before - after, 0) / np.maximum(before, 1e-12),
        "increase": (after > before).astype(np.float64),
    }


def energy_inside(pixels: Pixels, maps: Maps) -> Scores:
    """Share of each map that lies on the garment (pixel > 0), 0 to 1; 0 for an empty map.

    The pointing game by energy of Wang et al. 2020 (Score-CAM), the garment for a bounding box.
    """
    total = maps.sum(axis=(1, 2), dtype=np.float64)
    inside = np.where(pixels > 0, maps, 0).sum(axis=(1, 2), dtype=np.float64)
    shares: Scores = np.divide(inside, total, out=np.zeros_like(total), where=total > 0)
    return shares


def _of_target(probabilities: Probabilities, targets: Labels) -> Scores:
    chosen: Scores = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return chosen
