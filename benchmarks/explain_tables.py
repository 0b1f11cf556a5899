"""Writes the tables of docs/research/explain.md from benchmarks/results/faithfulness.json.

Run: python benchmarks/explain_tables.py [--check]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "research" / "explain.md"
RESULTS = ROOT / "benchmarks" / "results" / "faithfulness.json"
COLUMNS = {
    "insertion_blurred": "Insertion ↑",
    "deletion_blurred": "Deletion ↓",
    "insertion_black": "Insertion, black ↑",
    "deletion_black": "Deletion, black ↓",
    "drop": "Drop ↓",
    "increase": "Increase ↑",
    "energy_inside": "Inside ↑",
}


def _cell(estimate: dict[str, float]) -> str:
    return f"{estimate['mean']:.3f} ± {(estimate['high'] - estimate['low']) / 2:.3f}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def faithfulness_table(document: dict[str, Any]) -> str:
    """Every method and control of every model."""
    lines = [_line(["Model", "Map", *COLUMNS.values()])]
    lines.append(_line(["---", "---", *["---:"] * len(COLUMNS)]))
    for model, result in document["models"].items():
        for kind in ("methods", "controls"):
            for one, found in result[kind].items():
                name = f"`{one}`" if kind == "methods" else f"*{one}*"
                name = f"**{name}**" if one == document["method"] else name
                lines.append(_line([f"`{model}`", name, *(_cell(found[m]) for m in COLUMNS)]))
    lines.append("")
    for model, result in document["models"].items():
        verdicts = "; ".join(
            f"`{one}` {', '.join(f'*{control}*' for control in beaten) or 'none'}"
            for one, beaten in result["beats_controls"].items()
        )
        lines.append(
            f"`{model}`: controls that a method is above in insertion and below in deletion, 0"
            f" outside the interval of both paired differences: {verdicts}.\n"
        )
    lines.append(f"{document['images']:,} test images drawn with seed {document['seed']}.")
    return "\n".join(lines)


def sanity_table(document: dict[str, Any]) -> str:
    """The maps before and after the weights are scrambled."""
    lines = [_line(["Model", "Scrambled", "Rank correlation", "SSIM"])]
    lines.append(_line(["---", "---", "---:", "---:"]))
    for model, result in document["models"].items():
        sanity = result["sanity"]
        rows = {
            "top layer": sanity["stages"][0],
            "upper half": sanity["stages"][(len(sanity["stages"]) - 1) // 2],
            "everything": sanity["scrambled"],
            "nothing, but other pictures": sanity["unrelated"],
        }
        for name, alike in rows.items():
            cells = [f"`{model}`", name, f"{alike['spearman']:.2f}", f"{alike['ssim']:.2f}"]
            lines.append(_line(cells))
    verdicts = ", ".join(
        f"`{model}` {'passes' if result['sanity']['passed'] else 'fails'}"
        for model, result in document["models"].items()
    )
    return "\n".join([*lines, "", f"{verdicts}."])


TABLES = {"faithfulness": faithfulness_table, "sanity": sanity_table}


def render(text: str, document: dict[str, Any]) -> str:
    """`text` with every marked table written anew."""
    for name, table_of in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        block = start + table_of(document) + end
        text, count = re.subn(f"{start}.*?{end}", lambda _: block, text, flags=re.DOTALL)  # noqa: B023
        if count != 1:
            raise SystemExit(f"{PAGE.name} has {count} places for the table {name!r}, not 1")
    return text


def main() -> None:
    """Rewrite the page, or with --check fail when it would change."""
    before = PAGE.read_text(encoding="utf-8")
    after = render(before, json.loads(RESULTS.read_text(encoding="utf-8")))
    if "--check" in sys.argv[1:]:
        raise SystemExit(f"{PAGE.name} is not up to date" if before != after else 0)
    PAGE.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
