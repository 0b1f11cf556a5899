"""How far class activation maps say what the network goes by, measured against controls.

Run: python benchmarks/faithfulness.py [-m MODEL]… [--images 1000] [-o FILE]

Pixels are taken out and put in by the ranking of a map; docs/research/explain.md has the figures
and what they mean.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from harness.sanity import Maps, check

from fmnist_cli.bench.run import circumstances
from fmnist_cli.contract import Labels, Pixels, Probabilities
from fmnist_cli.data.dataset import load_split
from fmnist_cli.explain.cam import METHODS, STAGES, choose_layers, heatmaps, layers_of
from fmnist_cli.explain.explanation import DEFAULT_METHOD
from fmnist_cli.explain.job import MODELS, open_explainer
from fmnist_cli.files import write_text
from fmnist_cli.models.network import PixelClassifier

TARGET = Path(__file__).resolve().parent / "results" / "faithfulness.json"

Predict = Callable[[Pixels], Probabilities]  # uint8 [N, H, W] → float32 [N, classes]
Baseline = Literal["blurred", "black"]
Scores = npt.NDArray[np.float64]  # [N], one per image

STEPS = 8  # of equally many pixels each
BLUR = 3.0  # pixels; the garment is still there, what tells it from others is not
RESAMPLES = 2000
SANITY_IMAGES = 200
_HIGHER = {"insertion_blurred": True, "deletion_blurred": False}
_CONTROL_BLUR = 2.0  # pixels; about as smooth as maps enlarged from 7×7


# Maps that know nothing of the network: what a class activation map has to be better than.


def random(pixels: Pixels, seed: int = 0) -> Maps:
    """Every pixel for itself: uniform noise."""
    return np.random.default_rng(seed).random(pixels.shape, np.float32)


def blurred(pixels: Pixels, seed: int = 0) -> Maps:
    """The blurred picture itself: smooth, and on the garment wherever that is."""
    del seed
    return np.stack(
        [cv2.GaussianBlur(p.astype(np.float32) / 255, (0, 0), _CONTROL_BLUR) for p in pixels]
    )


def centre(pixels: Pixels, seed: int = 0) -> Maps:
    """A round hill in the middle, the same for all: garments are centred."""
    del seed
    side = pixels.shape[1]
    from_middle = np.arange(side) - (side - 1) / 2
    hill = np.exp(-(from_middle[:, None] ** 2 + from_middle**2) / (2 * (side / 4) ** 2))
    return np.broadcast_to(hill.astype(np.float32), pixels.shape)


CONTROLS: dict[str, Callable[..., Maps]] = {
    "random": random,
    "blurred": blurred,
    "centre": centre,
}


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


def _scores(predict: Predict, pixels: Pixels, maps: Maps, targets: Labels) -> Mapping[str, Scores]:
    return {
        **perturbation(predict, pixels, maps, targets, "blurred"),
        **perturbation(predict, pixels, maps, targets, "black"),
        **masking(predict, pixels, maps, targets),
        "energy_inside": energy_inside(pixels, maps),
    }


def _plain(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: {k: round(v, 5) for k, v in asdict(e).items()} for name, e in found.items()}


_COLUMNS = {
    "insertion_blurred": "insertion ↑",
    "deletion_blurred": "deletion ↓",
    "insertion_black": "ins. black ↑",
    "deletion_black": "del. black ↓",
    "drop": "drop ↓",
    "increase": "increase ↑",
    "energy_inside": "inside ↑",
}


def table_of(name: str, method: str, result: Mapping[str, Any]) -> str:
    """A table of means with half the width of their intervals, and the verdicts."""
    lines = [f"{name} at {result['layer']}"]
    lines.append(f"{'':<12}" + "".join(f"{title:>14}" for title in _COLUMNS.values()))
    for kind in ("methods", "controls"):
        for one, found in result[kind].items():
            cells = (
                f"{found[m]['mean']:.3f} ± {(found[m]['high'] - found[m]['low']) / 2:.3f}"
                for m in _COLUMNS
            )
            lines.append(f"{one:<12}" + "".join(f"{cell:>14}" for cell in cells))
    for one, beaten in result["beats_controls"].items():
        lines.append(f"{one} is better, beyond the intervals, than: {', '.join(beaten) or 'none'}")
    sanity = result["sanity"]
    last, unrelated = sanity["scrambled"], sanity["unrelated"]
    lines.append(
        f"weights scrambled: {method} {'passes' if sanity['passed'] else 'FAILS'}; similar to the"
        f" first maps by {last['spearman']:.2f} (rank) and {last['ssim']:.2f} (SSIM), maps of"
        f" different pictures by {unrelated['spearman']:.2f} and {unrelated['ssim']:.2f}\n"
    )
    return "\n".join(lines)


def main() -> None:
    """Measure all methods at one layer; print a table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model", action="append", help="cnn and resnet by default")
    parser.add_argument("--method", default=DEFAULT_METHOD, help="of the check of weights")
    parser.add_argument("--layer", default=STAGES)
    parser.add_argument("--images", type=int, default=1000, help="test images, 20 at least")
    parser.add_argument("--seed", type=int, default=0, help="which ones these are")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=TARGET)
    options = parser.parse_args()
    started = datetime.now(UTC)
    images = load_split("test", options.data_dir)
    count = min(options.images, len(images))
    drawn = np.sort(np.random.default_rng(options.seed).permutation(len(images))[:count])
    results: dict[str, Any] = {}
    for model in options.model or MODELS:
        explainer, session = open_explainer(
            model, options.method, options.layer, options.models_dir
        )
        found = measure(
            explainer.classifier,
            session.probabilities,
            images.pixels[drawn],
            options.method,
            options.layer,
            partial(print, f"{explainer.file.name}:", file=sys.stderr, flush=True),
        )
        results[explainer.file.name] = {"sha256": explainer.file.sha256, **found}
    words = [word for one in options.model or () for word in ("-m", Path(one).name)]
    words += ["--method", options.method, "--layer", options.layer]
    words += ["--images", str(count), "--seed", str(options.seed)]
    document = {
        "format": 1,
        "command": shlex.join(["python", "benchmarks/faithfulness.py", *words]),
        **circumstances(started, more=("torch",)),
        "split": "test",
        "method": options.method,
        "images": count,
        "seed": options.seed,
        "steps": STEPS,
        "blur_sigma": BLUR,
        "resamples": RESAMPLES,
        "interval": 0.95,
        "models": results,
    }
    for name, result in results.items():
        print(table_of(name, options.method, result))
    write_text(options.output, json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
