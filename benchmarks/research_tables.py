"""The tables of docs/research; `readme_tables.py` writes them into their pages."""

from __future__ import annotations

from harness.tables import RESULTS, read, table

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


def faithfulness_table() -> str:
    """Every method and control of every model, and which controls a method is better than."""
    document = read(RESULTS / "faithfulness.json")
    rows = []
    for model, result in document["models"].items():
        for kind in ("methods", "controls"):
            for one, found in result[kind].items():
                name = f"`{one}`" if kind == "methods" else f"*{one}*"
                name = f"**{name}**" if one == document["method"] else name
                rows.append([f"`{model}`", name, *(_cell(found[m]) for m in COLUMNS)])
    lines = [table(["Model", "Map", *COLUMNS.values()], rows, words=2), ""]
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


def sanity_table() -> str:
    """The maps before and after the weights are scrambled."""
    models = read(RESULTS / "faithfulness.json")["models"]
    rows = []
    for model, result in models.items():
        sanity = result["sanity"]
        scrambled = {
            "top layer": sanity["stages"][0],
            "upper half": sanity["stages"][(len(sanity["stages"]) - 1) // 2],
            "everything": sanity["scrambled"],
            "nothing, but other pictures": sanity["unrelated"],
        }
        for name, alike in scrambled.items():
            rows.append([f"`{model}`", name, f"{alike['spearman']:.2f}", f"{alike['ssim']:.2f}"])
    verdicts = ", ".join(
        f"`{model}` {'passes' if result['sanity']['passed'] else 'fails'}"
        for model, result in models.items()
    )
    header = ["Model", "Scrambled", "Rank correlation", "SSIM"]
    return f"{table(header, rows, words=2)}\n\n{verdicts}."


def scores_table() -> str:
    """AUROC of every score on every set; of noise and textures the mean and the least."""
    rows = []
    for name, found in read(RESULTS / "guard.json")["scores"].items():
        sets = {key: value["auroc"] for key, value in found.items()}
        digits = sets.pop("MNIST digits")
        least = min(sets, key=lambda key: sets[key])
        values = [digits, sum(sets.values()) / len(sets), sets[least]]
        cells = [f"{value:.4f}" for value in values]
        cells[-1] += f" ({least})"
        rows.append([f"**{name}**" if name == "guard" else name, *cells])
    return table(["Score", "Digits", "Noise and textures", "The least of these"], rows)


def sets_table() -> str:
    """The guard on each set."""
    rows = [
        [name, f"{one['images']:,}", f"{one['auroc']:.4f}", f"{one['known_lost_at_95']:.2%}"]
        for name, one in read(RESULTS / "guard.json")["scores"]["guard"].items()
    ]
    return table(["Set", "Images", "AUROC", "Known lost where 95 % are caught"], rows)


def accepted_table() -> str:
    """What stays known at each share."""
    accepted = read(RESULTS / "guard.json")["accepted"]
    rows = [[f"`--unknown-at {share}`", f"{kept:.1%}"] for share, kept in accepted.items()]
    return table(["Stays known", "Test images"], rows)


FILES = {
    "docs/research/explain.md": {"faithfulness": faithfulness_table, "sanity": sanity_table},
    "docs/research/guard.md": {
        "scores": scores_table,
        "sets": sets_table,
        "accepted": accepted_table,
    },
}
