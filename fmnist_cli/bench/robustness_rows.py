"""A measurement of robustness as CSV: a row per model, kind and strength."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from typing import Any

_Z = 1.959964


def wilson(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of `count` images (Wilson 1927), good at 0 and at 1, too."""
    z = _Z**2 / count
    middle = (share + z / 2) / (1 + z)
    reach = math.sqrt(z * (share * (1 - share) + z / 4)) / (1 + z)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def csv_text(document: Mapping[str, Any]) -> str:
    """The cells, each with its Wilson interval; ``clean`` has strength 0 and no level."""
    text = io.StringIO()
    names = ("model", "group", "kind", "strength", "level", "accuracy", "low", "high")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for model, result in document["models"].items():
        for group, kind, strength, level, accuracy in _cells(document, result):
            ends = (f"{end:.6f}" for end in wilson(accuracy, document["images"]))
            writer.writerow([model, group, kind, strength, level, accuracy, *ends])
    return text.getvalue()


def _cells(
    document: Mapping[str, Any], result: Mapping[str, Any]
) -> Iterator[tuple[str, str, int, float | str, float]]:
    yield "clean", "clean", 0, "", result["clean"]["mean"]
    for name, kind in document["kinds"].items():
        found = result["by_kind"][name]["accuracy"]
        for strength, (level, accuracy) in enumerate(
            zip(kind["levels"], found, strict=True), start=1
        ):
            yield kind["group"], name, strength, level, accuracy
