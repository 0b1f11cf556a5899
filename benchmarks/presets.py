"""Collects training times and validation accuracies of whole runs into one JSON.

Run: fmnist train-all --preset quick --runs-dir A && python benchmarks/presets.py A [B …]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent / "results" / "presets.json"


def collect(runs_dir: Path) -> tuple[str, dict[str, Any]]:
    """The preset of a folder of runs, and what its records say."""
    records = [json.loads(path.read_text()) for path in sorted(runs_dir.glob("*/record.json"))]
    (preset,) = {record["preset"] for record in records}
    models = {
        record["model"]: {
            key: record[key]
            for key in ("seed", "seconds", "validation_accuracy", "precision", "finished")
        }
        for record in records
    }
    return preset, {
        "command": f"fmnist train-all --preset {preset}",
        "machine": records[0]["machine"],
        "seconds": sum(record["seconds"] for record in records),
        "models": models,
    }


def main() -> None:
    """Write `TARGET` from the folders named on the command line."""
    presets = dict(collect(Path(name)) for name in sys.argv[1:])
    TARGET.write_text(json.dumps(presets, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
