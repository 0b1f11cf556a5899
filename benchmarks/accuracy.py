"""Collects every training run into one JSON: what it cost and how good it is.

Runs that are there already stay, since a run folder does not live for ever.

Test images are looked at when all choices have been made.

Run: python benchmarks/accuracy.py RUNS_DIR [RUNS_DIR …]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.evaluate.metrics import evaluate
from fmnist_cli.files import write_text
from fmnist_cli.models.registry import get_spec
from fmnist_cli.training.record import RECORD_FILE, TrainingRecord, load_native

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "benchmarks" / "results" / "accuracy.json"


def row_of(run_dir: Path, test: LabelledImages) -> dict[str, Any]:
    """What one finished run is, cost and reached."""
    record = TrainingRecord.read(run_dir)
    probabilities = load_native(get_spec(record.model), run_dir).probabilities(test.pixels)
    result = evaluate(probabilities, test.labels, CLASS_NAMES)
    shirt = next(entry for entry in result.per_class if entry.label == "Shirt")
    params = record.recipe.get("params", {})
    return {
        "model": record.model,
        "features": params.get("features", "pixels"),
        "preset": record.preset,
        "seed": record.seed,
        "parents": [f"{p['model']} {p['sha256'][:12]}" for p in record.parents],
        "epochs": record.recipe.get("epochs"),
        "seconds": round(record.seconds, 1),
        "device": record.machine.device,
        "cores": record.machine.cores,
        "processor": record.machine.processor,
        "precision": record.precision,
        "train_images": record.train_images,
        "validation_accuracy": record.validation_accuracy,
        "test_accuracy": result.accuracy,
        "test_loss": result.loss,
        "shirt_f1": shirt.f1,
        "finished": record.finished,
        "recipe": dict(record.recipe),
    }


def is_shipped(row: dict[str, Any], models: dict[str, Any]) -> bool:
    """Whether the file in ``exported/`` was made from this run."""
    entry = models.get(row["model"])
    return entry is not None and all(
        entry["training"][key] == row[key]
        for key in ("preset", "seed", "finished", "validation_accuracy")
    )


def known_runs() -> dict[Any, dict[str, Any]]:
    """What `TARGET` holds, by what tells runs apart."""
    if not TARGET.exists():
        return {}
    return {key_of(row): row for row in json.loads(TARGET.read_text())["runs"]}


def key_of(row: dict[str, Any]) -> Any:
    """What tells a run from every other."""
    return row["model"], row["seed"], row["finished"]


def main() -> None:
    """Bring `TARGET` up to date from the folders named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs_dirs", nargs="+", type=Path, metavar="RUNS_DIR")
    parser.add_argument("--data-dir", type=Path)
    args = parser.parse_args()
    test = load_split("test", args.data_dir)
    models = json.loads((ROOT / "exported" / "manifest.json").read_text())["models"]
    known = known_runs()
    for runs_dir in args.runs_dirs:
        if not list(runs_dir.glob(f"*/{RECORD_FILE}")):
            raise SystemExit(f"{runs_dir} holds no finished runs")
        for record in sorted(runs_dir.glob(f"*/{RECORD_FILE}")):
            row = row_of(record.parent, test)
            row["shipped"] = is_shipped(row, models)
            known[key_of(row)] = row
            print(
                f"{row['model']:<14}{row['features']:<7} {row['preset']:<9} seed {row['seed']}"
                f"  validation {row['validation_accuracy']:.2%}  test {row['test_accuracy']:.2%}"
                f"  Shirt F1 {row['shirt_f1']:.3f}{'  shipped' if row['shipped'] else ''}"
            )
    rows = list(known.values())
    for row in rows:
        row["shipped"] = is_shipped(row, models)
    order = {name: place for place, name in enumerate(models)}
    rows.sort(
        key=lambda r: (order.get(r["model"], len(order)), r["features"], r["preset"], r["seed"])
    )
    document = {
        "command": "python benchmarks/accuracy.py RUNS_DIR…",
        "test_images": len(test.labels),
        "runs": rows,
    }
    write_text(TARGET, json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
