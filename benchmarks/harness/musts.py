"""What the figures have to show, and whether they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# (case, part, figure) → the least that its median has to be.
AT_LEAST = {
    ("cnn-png", "torch", "times_steady"): 5.0,
    ("cnn-photos", "torch", "times_steady"): 4.5,
    ("cnn-photos-12mp", "torch", "times_steady"): 8.0,
    ("cnn-png", "torch", "times_whole"): 7.0,
    ("cnn-png", "roofline", "reached"): 0.85,
    ("cnn-photos", "roofline", "reached"): 0.85,
    ("cnn-photos-12mp", "roofline", "reached"): 0.85,
    ("resnet-png", "torch", "times_steady"): 2.5,
    ("photo-photos", "torch", "times_whole"): 3.0,
    ("photo-photos", "roofline", "reached"): 0.85,
}
FIRST_ROW_AT_MOST = 1.6
WORDS = {
    "times_steady": "steady rate against PyTorch",
    "times_whole": "whole command against PyTorch",
    "reached": "share of the limit",
}


def verdicts(document: Mapping[str, Any]) -> list[str]:
    """One line for each must of which the results have the figure."""
    lines = []
    for (case, part, figure), least in AT_LEAST.items():
        if case in document["cases"]:
            measured = document["cases"][case][part][figure]["median"]
            word = "met" if measured >= least else "MISSED"
            lines.append(f"{word:<7}{case:<17}{WORDS[figure]}: {measured:.2f}, at least {least:g}")
    if "first_row" in document:
        measured = document["first_row"]["times"]["median"]
        word = "met" if measured <= FIRST_ROW_AT_MOST else "MISSED"
        what = "one picture against the imports alone"
        lines.append(f"{word:<7}{'first row':<17}{what}: {measured:.2f}, at most 1.6")
    return lines
