"""Whether ``auto`` chooses as it should, and ``product`` gives the frame back.

Run: python benchmarks/preparation.py [--split test] [--json FILE]

Two kinds of pictures: the images of the data set as PNG files, which all have to be taken as
frames; and renders of them as a shop might show them (`harness/renders.py`), which have to be
taken as products, and labelled as the image itself is. What was chosen by hand was chosen on
``--split validation``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from harness.renders import GROUNDS, render

from fmnist_cli import __version__
from fmnist_cli.contract import Picture, Pixels
from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import decode
from fmnist_cli.files import write_text
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import Machine
from fmnist_cli.preprocess import needs_color, preprocess, reduction

# (what, figure) → the least that it has to be.
MUSTS = {
    ("frames", "as_intended"): 0.99,
    ("frames", "same_prediction"): 1.0,
    ("renders", "as_intended"): 0.98,
    ("renders", "same_prediction"): 0.95,
}


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--renders", type=int, default=500, help="per background")
    parser.add_argument("--model", default="resnet", help="whose predictions are compared")
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the renders")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args(arguments)


def opened(content: bytes) -> Picture:
    """A picture file as ``auto`` decodes it."""
    return decode(content, reduction=reduction(FRAME_SPEC), color=needs_color(FRAME_SPEC))


def of_frames(pixels: Pixels, session: Session) -> dict[str, Any]:
    """All images as PNG files: what was chosen, and whether any prediction changes."""
    chosen: Counter[str] = Counter()
    prepared = np.empty_like(pixels)
    for place, frame in enumerate(pixels):
        prepared[place], name = preprocess(
            opened(cv2.imencode(".png", frame)[1].tobytes()), FRAME_SPEC
        )
        chosen[name] += 1
    same = session.probabilities(prepared) == session.probabilities(pixels)
    return figures(chosen, "frame") | {"same_prediction": float(same.all(axis=1).mean())}


def of_renders(pixels: Pixels, session: Session, count: int, seed: int) -> dict[str, Any]:
    """Renders on every background: what was chosen, and how often the label is the image's."""
    rng = np.random.default_rng(seed)
    places = rng.permutation(len(pixels))
    result: dict[str, Any] = {}
    all_chosen: Counter[str] = Counter()
    agreed = []
    for number, ground in enumerate(GROUNDS):
        mine = places[number * count : (number + 1) * count]
        chosen: Counter[str] = Counter()
        frames = np.empty((len(mine), *pixels.shape[1:]), np.uint8)
        for at, place in enumerate(mine):
            frames[at], name = preprocess(
                opened(render(pixels[place], ground, rng).content), FRAME_SPEC
            )
            chosen[name] += 1
        expected = session.probabilities(pixels[mine]).argmax(axis=1)
        same = session.probabilities(frames).argmax(axis=1) == expected
        result[ground] = figures(chosen, "product") | {"same_prediction": float(same.mean())}
        all_chosen += chosen
        agreed.append(same)
    overall = {"same_prediction": float(np.concatenate(agreed).mean())}
    return figures(all_chosen, "product") | overall | {"grounds": result}


def figures(chosen: Counter[str], intended: str) -> dict[str, Any]:
    """What was chosen how often, and the share that was as intended."""
    total = chosen.total()
    share = chosen[intended] / max(total, 1)
    return {"images": total, "chosen": dict(sorted(chosen.items())), "as_intended": share}


def verdicts(document: dict[str, Any]) -> list[str]:
    """One line for each must, and for each background."""
    lines = []
    for (what, figure), least in MUSTS.items():
        measured = document[what][figure]
        word = "met" if measured >= least else "MISSED"
        name = figure.replace("_", " ")
        lines.append(f"{word:<7}{what:<9}{name:<16}{measured:8.2%}, at least {least:.0%}")
    for ground, found in document["renders"]["grounds"].items():
        same, intended = found["same_prediction"], found["as_intended"]
        lines.append(
            f"       on {ground:<12} same prediction {same:.2%}, as intended {intended:.2%}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 1 if a must is missed."""
    options = options_of(arguments)
    pixels = load_split(options.split, options.data_dir).pixels
    model = open_model(options.model, options.models_dir)
    session = Session(model, threads=1)
    words = ["--split", options.split, "--renders", str(options.renders)]
    words += ["--seed", str(options.seed)]
    document: dict[str, Any] = {
        "command": f"python benchmarks/preparation.py {' '.join(words)}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "machine": Machine.current()._asdict(),
        "model": {"name": model.name, "sha256": model.sha256},
        "split": options.split,
        "frames": of_frames(pixels, session),
        "renders": of_renders(pixels, session, options.renders, options.seed),
    }
    lines = verdicts(document)
    print("\n".join(lines))
    if options.json is not None:
        write_text(options.json, json.dumps(document, indent=1) + "\n")
    return any(line.startswith("MISSED") for line in lines)


if __name__ == "__main__":
    sys.exit(main())
