"""How well confidence is calibrated: as the model is, with one temperature, with its curve.

Run: python benchmarks/calibration.py [--data-dir DIR] [-o FILE]

Validation figures are cross-validated over five folds: what fits on four say of the fifth. Test
figures are of fits on all validation images. `perfect` is the calibration error that a perfectly
calibrated model of the same confidences would have by chance: mean and deviation of 200 draws.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from sklearn.model_selection import KFold

from fmnist_cli.calibration import (
    KNOTS,
    ONE_PIECE,
    RULE,
    VOTE_FLOOR,
    ends_in_softmax,
    fit_curve,
    without_curve,
)
from fmnist_cli.contract import Labels, Probabilities
from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.evaluate.metrics import cross_entropy, expected_calibration_error, reliability
from fmnist_cli.export.calibrate import draft_session
from fmnist_cli.export.graph import canonical
from fmnist_cli.files import write_text
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.models.registry import REGISTRY

ROOT = Path(__file__).resolve().parent.parent
DRAWS = 200

Map = Callable[[Probabilities], Probabilities]
Fit = Callable[[Probabilities, Labels], Map]


def figures(probabilities: Probabilities, labels: Labels) -> dict[str, float]:
    """Loss, calibration error, and mean confidence minus accuracy."""
    right = probabilities.argmax(axis=1) == labels
    return {
        "loss": round(cross_entropy(probabilities, labels), 4),
        "calibration_error": round(error(probabilities, labels), 4),
        "overconfidence": round(float(probabilities.max(axis=1).mean() - right.mean()), 4),
    }


def error(probabilities: Probabilities, labels: Labels) -> float:
    """Expected calibration error, 15 bins."""
    return expected_calibration_error(reliability(probabilities, labels))


def perfect(probabilities: Probabilities) -> dict[str, float]:
    """Calibration error where labels are drawn by the very confidences."""
    rng = np.random.default_rng(0)
    best = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    draws = [
        error(probabilities, np.where(rng.random(len(best)) < confidence, best, (best + 1) % 10))
        for _ in range(DRAWS)
    ]
    return {"mean": round(float(np.mean(draws)), 4), "deviation": round(float(np.std(draws)), 4)}


def held_out(fit: Fit, said: Probabilities, labels: Labels) -> dict[str, float]:
    """Figures of what fits on four folds say of the fifth."""
    result = np.empty_like(said)
    for fitted, held in KFold(5, shuffle=True, random_state=0).split(labels):
        result[held] = fit(said[fitted], labels[fitted])(said[held])
    return figures(result, labels)


def measure(name: str, data_dir: Path | None) -> dict[str, object]:
    """All figures of a shipped model."""
    file = open_model(name, ROOT / "exported")
    plain, _ = without_curve(onnx.load_from_string(file.content))
    floor = None if ends_in_softmax(plain) else VOTE_FLOOR
    session = draft_session(canonical(plain), Session(file).card)
    validation, test = load_split("validation", data_dir), load_split("test", data_dir)
    said, asked = session.probabilities(validation.pixels), session.probabilities(test.pixels)

    def pieces(knots: tuple[float, ...]) -> Fit:
        def fit(probabilities: Probabilities, labels: Labels) -> Map:
            curve = fit_curve(probabilities, labels, floor, knots)
            return lambda others: curve(others)

        return fit

    ways: dict[str, Fit] = {
        "as it is": lambda _probabilities, _labels: lambda probabilities: probabilities,
        "one temperature": pieces(ONE_PIECE),
        "curve": pieces(KNOTS),
    }
    result: dict[str, object] = {"sha256": file.sha256}
    for way, fit in ways.items():
        answer = fit(said, validation.labels)(asked)
        result[way] = {
            "validation": held_out(fit, said, validation.labels),
            "test": figures(answer, test.labels),
        }
        if way == "curve":
            result["perfect"] = perfect(answer)
    return result


def table(models: dict[str, Any]) -> str:
    """The table of docs/research/calibration.md."""
    lines = [
        "| | As it is: loss | error | Temperature: loss | error | Curve: loss | error"
        " | A perfect model's error |",
        "|---|" + "--:|" * 7,
    ]
    for name, found in models.items():
        tests = [found[way]["test"] for way in ("as it is", "one temperature", "curve")]
        values = [f"{t[figure]:.4f}" for t in tests for figure in ("loss", "calibration_error")]
        chance = found["perfect"]
        values.append(f"{chance['mean']:.4f} ± {chance['deviation']:.4f}")
        lines.append(f"| `{name}` | " + " | ".join(values) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure every shipped model and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument(
        "-o", "--output", type=Path, default=ROOT / "benchmarks" / "results" / "calibration.json"
    )
    options = parser.parse_args()
    models: dict[str, Any] = {}
    for name, spec in REGISTRY.items():
        if spec.input != FRAME_SPEC:
            continue
        models[name] = measure(name, options.data_dir)
        print(name, json.dumps(models[name]), flush=True)
    print(table(models))
    document = {"command": "python benchmarks/calibration.py", "rule": RULE, "models": models}
    write_text(options.output, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
