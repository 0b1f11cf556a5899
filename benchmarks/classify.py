"""`fmnist classify` against the usual scripts and against the limit of the machine.

Run: python benchmarks/classify.py [--photos FOLDER]

Needs the training packages for the peer in PyTorch, and the data set. On two cores it takes
about a quarter of an hour, on a machine that does nothing else. Each round runs every
contender once, each in a process of its own, in an order that is turned round from round to
round; ratios are taken within a round. The first of two figures is the whole command, with
the start of the process and imports on both sides; the second is the steady rate without:

    whole     `fmnist classify`, its rows in a JSON Lines file
    steady    the same within a process that has imported everything
    torch     torchvision transforms, DataLoader, eager PyTorch with the weights of the ONNX file
    pillow    Pillow and ONNX Runtime in one thread
    roofline  a pass that only decodes and one that only infers, on all cores
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness import case, first_row, musts, sets

from fmnist_cli.machine import Machine

RESULTS = Path(__file__).resolve().parent / "results" / "classify.json"
PACKAGES = ("fmnist-cli", "numpy", "onnxruntime", "opencv-python-headless", "pillow")
PEER_PACKAGES = ("torch", "torchvision")
MODELS_BY_SET = {"png": ("cnn", "resnet"), "photos": ("cnn", "photo"), "photos-12mp": ("cnn",)}


def report(line: str) -> None:
    """One line of progress."""
    print(line, file=sys.stderr, flush=True)


def _full(path: str) -> Path:
    """Commands are run elsewhere, where a relative path would name something else."""
    return Path(path).resolve()


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=_full, help="folder of JPEG photos; else only PNGs")
    parser.add_argument("--pairs", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--cases", nargs="+", help="only these, like cnn-png; others are kept")
    parser.add_argument("--python", default=sys.executable, help="interpreter of our command")
    parser.add_argument("--quick", action="store_true", help="few pictures, one round: a try")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results)")
    work = Path(tempfile.gettempdir()) / "fmnist-benchmarks"
    parser.add_argument("--work", type=Path, default=work, help="folder for pictures, kept")
    options = parser.parse_args(arguments)
    options.pairs = 1 if options.quick else options.pairs
    options.out = options.out or (options.work / "quick.json" if options.quick else RESULTS)
    return options


def the_sets(options: argparse.Namespace) -> list[sets.Pictures]:
    """The pictures, made where they are not there yet."""
    report("making the pictures")
    made = [sets.frames(options.work, 300 if options.quick else None)]
    if options.photos is not None:
        made.append(sets.photos(options.photos, options.work, 60 if options.quick else None))
        count = 6 if options.quick else sets.LARGE_COUNT
        made.append(sets.large_photos(options.photos, options.work, count))
    return made


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The whole document."""
    from harness.weights import write_weights

    from fmnist_cli.data.dataset import load_split
    from fmnist_cli.inference.models import open_model

    machine = Machine.current()
    setting = case.Setting(
        options.python, sys.executable, options.work, machine.cores, options.pairs, report
    )
    made = the_sets(options)
    document: dict[str, Any] = {
        "format": 1,
        "command": "python benchmarks/classify.py --photos FOLDER",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine._asdict(),
        "versions": {name: version(name) for name in (*PACKAGES, *PEER_PACKAGES)}
        | {"python": platform.python_version()},
        "cases": _kept(options),
        "first_row": first_row.measure(options.python, next(made[0].folder.iterdir())),
    }
    pixels = load_split("test").pixels[:100]
    for pictures in made:
        for model in MODELS_BY_SET[pictures.name]:
            name = f"{model}-{pictures.name}"
            if options.cases and name not in options.cases:
                continue
            report(f"{name}: {pictures.images:,} pictures")
            file = open_model(model)
            difference = write_weights(model, pixels, options.work / f"{model}.pt")
            figures = case.measure(model, file.path.resolve(), pictures, setting)
            document["cases"][name] = {
                "sha256": file.sha256,
                "pairs": options.pairs,
                "torch_against_onnx": float(f"{difference:.2g}"),
                **figures,
            }
            options.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return document


def _kept(options: argparse.Namespace) -> dict[str, Any]:
    """Cases of an earlier call with `--cases`, of the same machine: an hour can be cut up."""
    if not options.cases or not options.out.exists():
        return {}
    earlier = json.loads(options.out.read_text(encoding="utf-8"))
    if earlier["machine"] != Machine.current()._asdict():
        return {}
    cases: dict[str, Any] = earlier["cases"]
    return cases


def main() -> None:
    """Measure, write the results, and say which of the musts are met."""
    options = options_of()
    options.work.mkdir(parents=True, exist_ok=True)
    document = measure(options)
    print("\n".join(musts.verdicts(document)))
    print(f"results in {options.out.name}")


if __name__ == "__main__":
    main()
