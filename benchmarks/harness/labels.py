"""What the contenders wrote, to see that they did the same work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def labels_of(output: Path) -> dict[str, str]:
    """Label by name in a file of JSON lines."""
    rows = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    return {row["path"]: row["label"] for row in rows}


def agreement(some: Mapping[str, str], others: Mapping[str, str]) -> float:
    """Share of the pictures that have the same label in both.

    Raises:
        SystemExit: they are not about the same pictures.
    """
    if some.keys() != others.keys():
        raise SystemExit(f"{len(some)} and {len(others)} rows, not of the same pictures")
    return sum(some[name] == others[name] for name in some) / len(some)
