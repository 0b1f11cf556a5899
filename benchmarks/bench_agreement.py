"""How far two runs of `fmnist bench --json` agree within the intervals that they state.

A timed cell agrees when its two 95 % intervals overlap. What comes without an interval (accuracy,
calibration, size, multiply-adds) must be equal and is counted apart.

Run: fmnist bench --json one.json; fmnist bench --json two.json
     python benchmarks/bench_agreement.py one.json two.json [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from fmnist_cli.bench.compare import check_comparable, compare, read
from fmnist_cli.errors import FmnistError
from fmnist_cli.files import write_text

SHARE = 0.9  # of the timed cells; fewer end with exit code 1, as do other models or accuracies


def agreement(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    """Counts of cells and of those that agree, and the cells that do not."""
    cells = compare(one, two)
    timed = [cell for cell in cells if cell.timed]
    exact = [cell for cell in cells if not cell.timed]
    agreeing = sum(cell.agrees for cell in timed)
    margins = sorted(cell.new.margin for cell in timed)
    return {
        "models": [name for name in one["models"] if name in two["models"]],
        "timed_cells": len(timed),
        "agreeing": agreeing,
        "share": agreeing / len(timed),
        "median_margin": margins[len(margins) // 2],
        "exact_cells": len(exact),
        "exact_equal": sum(cell.agrees for cell in exact),
        "apart": [
            {
                "model": cell.model,
                "metric": cell.metric,
                "one": [cell.old.low, cell.old.high],
                "two": [cell.new.low, cell.new.high],
            }
            for cell in timed
            if not cell.agrees
        ],
    }


def main() -> None:
    """Print the share; exit code 1 where it is too small."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("one", type=Path)
    parser.add_argument("two", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        one, two = read(args.one), read(args.two)
        check_comparable(one, two, args.one)
    except FmnistError as error:
        raise SystemExit(f"error: {error}") from error
    found = agreement(one, two)
    document = {
        "command": "python benchmarks/bench_agreement.py",
        "bench": one["command"],
        "machine": one["machine"],
        "versions": one["versions"],
        "dates": [one["date"], two["date"]],
        **found,
    }
    print(
        f"{found['agreeing']} of {found['timed_cells']} timed cells ({found['share']:.1%}) agree"
        f" within their intervals, ±{found['median_margin']:.0%} in the median;"
        f" {found['exact_equal']} of {found['exact_cells']} others are equal"
    )
    for metric, count in Counter(cell["metric"] for cell in found["apart"]).most_common():
        print(f"  apart: {metric}: {count}")
    if args.json:
        write_text(args.json, json.dumps(document, indent=2) + "\n")
    unequal = found["exact_equal"] < found["exact_cells"]
    sys.exit(found["share"] < SHARE or unequal or set(one["models"]) != set(two["models"]))


if __name__ == "__main__":
    main()
