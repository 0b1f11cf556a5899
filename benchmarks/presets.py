"""Collects training times and validation accuracies of whole runs into one JSON.

What is not in the folders stays as it was measured before.

Run: fmnist train-all --preset quick --runs-dir A && python benchmarks/presets.py A [B …]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent / "results" / "presets.json"


def collect(runs_dir: Path) -> tuple[str, dict[str, Any]]:
    """The preset of a folder of runs, and what its records say of each model."""
    records = [json.loads(path.read_text()) for path in sorted(runs_dir.glob("*/record.json"))]
    presets = {record["preset"] for record in records}
    if len(presets) != 1:
        raise SystemExit(f"{runs_dir} holds runs of {len(presets)} presets, not of one")
    (preset,) = presets
    fields = ("seed", "seconds", "validation_accuracy", "precision", "machine", "finished")
    return preset, {record["model"]: {key: record[key] for key in fields} for record in records}


def main() -> None:
    """Bring `TARGET` up to date from the folders named on the command line."""
    document = json.loads(TARGET.read_text(encoding="utf-8")) if TARGET.exists() else {}
    for preset, found in map(collect, map(Path, sys.argv[1:])):
        models = {**document.get(preset, {}).get("models", {}), **found}
        document[preset] = {
            "command": f"fmnist train-all --preset {preset}",
            "seconds": sum(model["seconds"] for model in models.values()),
            "models": dict(sorted(models.items())),
        }
    TARGET.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
