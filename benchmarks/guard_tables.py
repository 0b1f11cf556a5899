"""Writes the tables of docs/guard.md from benchmarks/results/guard.json.

Run: python benchmarks/guard_tables.py [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "guard.md"
RESULTS = ROOT / "benchmarks" / "results"
PHOTOS = "photos"


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
        sets = {key: value["auroc"] for key, value in found.items() if key != PHOTOS}
        digits = sets.pop("MNIST digits")
        least = min(sets, key=lambda key: sets[key])
        values = [digits, sum(sets.values()) / len(sets), sets[least]]
        cells = [f"{value:.4f}" for value in values]
        cells[-1] += f" ({least})"
        cells.append(f"{found[PHOTOS]['all']['auroc']:.3f}" if PHOTOS in found else "–")
        rows.append([f"**{name}**" if name == "guard" else name, *cells])
    titles = ["Score", "Digits", "Noise and textures", "The least of these", "Unknown garments"]
    return _table(titles, rows)


def sets_table() -> str:
    """The guard on each set."""
    found = dict(_read("guard.json")["scores"]["guard"])
    photos = found.pop(PHOTOS, {})
    found |= {f"photos, {folder}": value for folder, value in photos.items()}
    rows = [
        [name, f"{one['images']:,}", f"{one['auroc']:.4f}", f"{one['known_lost_at_95']:.2%}"]
        for name, one in found.items()
    ]
    return _table(["Set", "Images", "AUROC", "Known lost where 95 % are caught"], rows)


def accepted_table() -> str:
    """What stays known at each share."""
    names = {
        "test": "Test images",
        "known_photos": "Photos of known garments",
        "strange_photos": "Photos of unknown garments",
    }
    accepted = _read("guard.json")["accepted"]
    present = [name for name in names if all(name in row for row in accepted.values())]
    rows = [
        [f"`--unknown-at {share}`", *(f"{row[name]:.1%}" for name in present)]
        for share, row in accepted.items()
    ]
    return _table(["Stays known", *(names[name] for name in present)], rows)


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
