"""Writes the tables of docs/research/guard.md from benchmarks/results/guard.json.

Run: python benchmarks/guard_tables.py [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "research" / "guard.md"
RESULTS = ROOT / "benchmarks" / "results"


def _read(name: str) -> Any:
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _table(titles: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(titles) - 1)]
    return "\n".join(map(_line, [titles, rule, *rows]))


def scores_table() -> str:
    """AUROC of every score on every set; of noise and textures the mean and the least."""
    rows = []
    for name, found in _read("guard.json")["scores"].items():
        sets = {key: value["auroc"] for key, value in found.items()}
        digits = sets.pop("MNIST digits")
        least = min(sets, key=lambda key: sets[key])
        values = [digits, sum(sets.values()) / len(sets), sets[least]]
        cells = [f"{value:.4f}" for value in values]
        cells[-1] += f" ({least})"
        rows.append([f"**{name}**" if name == "guard" else name, *cells])
    return _table(["Score", "Digits", "Noise and textures", "The least of these"], rows)


def sets_table() -> str:
    """The guard on each set."""
    rows = [
        [name, f"{one['images']:,}", f"{one['auroc']:.4f}", f"{one['known_lost_at_95']:.2%}"]
        for name, one in _read("guard.json")["scores"]["guard"].items()
    ]
    return _table(["Set", "Images", "AUROC", "Known lost where 95 % are caught"], rows)


def accepted_table() -> str:
    """What stays known at each share."""
    accepted = _read("guard.json")["accepted"]
    rows = [[f"`--unknown-at {share}`", f"{kept:.1%}"] for share, kept in accepted.items()]
    return _table(["Stays known", "Test images"], rows)


TABLES = {
    "scores": scores_table,
    "sets": sets_table,
    "accepted": accepted_table,
}


def render(text: str) -> str:
    """`text` with every marked table written anew."""
    for name, table_of in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        block = start + table_of() + end
        text, count = re.subn(f"{start}.*?{end}", lambda _: block, text, flags=re.DOTALL)  # noqa: B023
        if count != 1:
            raise SystemExit(f"{PAGE.name} has {count} places for the table {name!r}, not 1")
    return text


def main() -> None:
    """Rewrite the page, or with --check fail when it would change."""
    before = PAGE.read_text(encoding="utf-8")
    after = render(before)
    if "--check" in sys.argv[1:]:
        raise SystemExit(f"{PAGE.name} is not up to date" if before != after else 0)
    PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
