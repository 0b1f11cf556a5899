"""The measurements of `fmnist explain --faithfulness`: methods against controls, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.explain.cam import METHODS, heatmaps
from fmnist_cli.explain.controls import CONTROLS, Maps
from fmnist_cli.explain.faithfulness import (
    BLUR,
    STEPS,
    Predict,
    Scores,
    energy_inside,
    masking,
    perturbation,
)
from fmnist_cli.explain.layers import choose_layers, layers_of
from fmnist_cli.explain.sanity import check
from fmnist_cli.models.network import PixelClassifier

RESAMPLES = 2000
SANITY_IMAGES = 200
_HIGHER = {"insertion_blurred": True, "deletion_blurred": False}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over images and its 95 % bootstrap interval over resampled images."""

    mean: float
    low: float
    high: float


def estimates(scores: Mapping[str, Scores], seed: int = 0) -> dict[str, Estimate]:
    """Mean and percentile interval (Efron 1979) of each row of scores, all of the same images."""
    count = len(next(iter(scores.values())))
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    found = {}
    for name, values in scores.items():
        low, high = np.quantile(draws @ values / count, (0.025, 0.975))
        found[name] = Estimate(float(values.mean()), float(low), float(high))
    return found


def measure(
    classifier: PixelClassifier,
    predict: Predict,
    pixels: Pixels,
    method: str,
    layer: str,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Every method at one layer against every control, and the check of `method`.

    Args:
        classifier: what the maps are made of.
        predict: the same function, however it is computed; called for every step of every map.
        pixels: uint8 [N, H, W], N at least 2.
        method: the one that the sanity check is of.
        layer: as for `choose_layers`.
        say: told what is being done.

    Returns:
        JSON values: ``layer``, ``methods`` and ``controls`` (metric → mean, low, high),
        ``differences`` (method → control → metric), ``beats_controls``, ``sanity``.
    """
    layers = choose_layers(layers_of(classifier, pixels.shape[1:]), layer)
    targets = predict(pixels).argmax(axis=1).astype(np.int64)
    scores: dict[str, Mapping[str, Scores]] = {}
    for control, make in CONTROLS.items():
        say(f"control: {control}")
        scores[control] = _scores(predict, pixels, make(pixels), targets)
    for one in METHODS:
        say(f"{one} at {layer}")
        maps = heatmaps(classifier, pixels, targets, one, layers)
        scores[one] = _scores(predict, pixels, maps, targets)
    differences = {
        one: {
            control: estimates({m: scores[one][m] - scores[control][m] for m in scores[one]})
            for control in CONTROLS
        }
        for one in METHODS
    }
    say(f"weights scrambled: {method} at {layer}")
    some = slice(0, SANITY_IMAGES)

    def maps_of(network: PixelClassifier, shown: Pixels) -> Maps:
        chosen = choose_layers(layers_of(network, shown.shape[1:]), layer)
        return heatmaps(network, shown, targets[some], method, chosen)

    sanity = check(classifier, pixels[some], maps_of)
    return {
        "layer": layer,
        "methods": {one: _plain(estimates(scores[one])) for one in METHODS},
        "controls": {one: _plain(estimates(scores[one])) for one in CONTROLS},
        "differences": {
            one: {control: _plain(found) for control, found in by_control.items()}
            for one, by_control in differences.items()
        },
        "beats_controls": {
            one: [control for control, found in differences[one].items() if beats(found)]
            for one in METHODS
        },
        "sanity": asdict(sanity)
        | {"stages": [{"layer": stage, **asdict(alike)} for stage, alike in sanity.stages]},
    }


def beats(difference: Mapping[str, Estimate]) -> bool:
    """Whether insertion is above and deletion below a control, with 0 outside the intervals."""
    return all(
        difference[metric].low > 0 if higher else difference[metric].high < 0
        for metric, higher in _HIGHER.items()
    )


def settings(images: int, seed: int) -> dict[str, Any]:
    """What the figures were measured with, for the file."""
    return {
        "images": images,
        "seed": seed,
        "steps": STEPS,
        "blur_sigma": BLUR,
        "resamples": RESAMPLES,
        "interval": 0.95,
    }


def _scores(predict: Predict, pixels: Pixels, maps: Maps, targets: Labels) -> Mapping[str, Scores]:
    return {
        **perturbation(predict, pixels, maps, targets, "blurred"),
        **perturbation(predict, pixels, maps, targets, "black"),
        **masking(predict, pixels, maps, targets),
        "energy_inside": energy_inside(pixels, maps),
    }


def _plain(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: {k: round(v, 5) for k, v in asdict(e).items()} for name, e in found.items()}
