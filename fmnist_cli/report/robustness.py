"""Accuracy on pictures made worse on purpose: by kind, by strength, and what they look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.html.contact_sheet import Shown
from fmnist_cli.report.inputs import Inputs, Made
from fmnist_cli.report.parts import COLOURS, chart, made, percent, points, table, words

if TYPE_CHECKING:
    from markupsafe import Markup

Document = Mapping[str, Any]
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
# Accuracy below which a cell is shaded by one more step of style.css.
_STEPS = (0.9, 0.8, 0.65, 0.5, 0.35, 0.2)


def build(inputs: Inputs) -> Made:
    """A chart over strengths, a shaded table over kinds, examples, and every cell."""
    document = inputs.sources["robustness"].document
    counted = [name for name, about in document["groups"].items() if about["counted"]]
    kinds = sum(kind["group"] in counted for kind in document["kinds"].values())
    how = (
        f"The same {document['images']:,} {document['split']} images for every model, made worse in"
        f" {kinds} ways at growing strength (noise, blur, light, cover, geometry), and besides"
        " these turned into negatives, tilted, turned, put before other backgrounds and saved as"
        " JPEG. Cells of a table are means over strengths."
    )
    by_kind = made(
        "shaded",
        title="Accuracy (%) by kind, mean over its strengths; the stronger the colour, the lower",
        name="Accuracy by kind of corruption",
        heads=list(document["models"]),
        rows=list(_rows(document, kinds)),
    )
    return [
        words(how),
        _over_strengths(document, kinds),
        by_kind,
        *_examples(document),
        _cells(document),
    ], inputs.stale("robustness")


def _over_strengths(document: Document, kinds: int) -> Markup:
    """Mean over the counted kinds, from untouched pictures to the greatest strength."""
    models: Mapping[str, Any] = document["models"]
    lines = {
        model: [one["clean"]["mean"], *(at["mean"] for at in one["by_strength"])]
        for model, one in models.items()
    }
    traces = [
        points(
            model,
            at,
            list(range(len(shares))),
            shares,
            "%{y:.1%}",
            mode="lines+markers",
            line={"color": COLOURS[at % len(COLOURS)], "dash": _DASHES[at % len(_DASHES)]},
        )
        for at, (model, shares) in enumerate(lines.items())
    ]
    means = {model: one["mean_corruption_accuracy"] for model, one in models.items()}
    best = max(means, key=lambda model: means[model]["mean"])
    worst = min(means, key=lambda model: means[model]["mean"])
    strongest = len(next(iter(lines.values()))) - 1
    rows = []
    for model, shares in lines.items():
        mean, low, high = (percent(means[model][end], 1) for end in ("mean", "low", "high"))
        drop = models[model]["relative_drop"]
        told = [f"{mean} [{low}, {high}]", "–" if drop is None else percent(drop, 1)]
        rows.append([model, *(percent(share, 1) for share in shares), *told])
    header = ["model", "clean", *(f"strength {at}" for at in range(1, strongest + 1))]
    header += ["mean corruption accuracy [95 %]", "relative drop"]
    return chart(
        "strength",
        f"Accuracy by strength, mean over {kinds} kinds of corruption",
        f"Lines from clean images to strength {strongest}. The mean over kinds and strengths goes"
        f" from {percent(means[worst]['mean'], 1)} ({worst}) to"
        f" {percent(means[best]['mean'], 1)} ({best}).",
        traces,
        {
            "xaxis": {
                "title": {"text": "strength"},
                "tickvals": list(range(strongest + 1)),
                "ticktext": ["clean", *map(str, range(1, strongest + 1))],
            },
            "yaxis": {"title": {"text": "accuracy"}, "tickformat": ".0%"},
            "hovermode": "closest",
        },
        table("Accuracy by strength", header, rows),
        height=480,
        narrow={"legend": {"orientation": "h", "y": -0.2, "yanchor": "top"}},
    )


def _rows(document: Document, kinds: int) -> Iterator[dict[str, Any]]:
    """A row per group, and per kind where a group has several; a cell per model."""
    models = document["models"].values()

    def row(head: str, shares: list[float], within: bool = False) -> dict[str, Any]:
        cells = [(f"{100 * share:.1f}", sum(share < step for step in _STEPS)) for share in shares]
        return {"head": head, "within": within, "cells": cells}

    yield row("Clean", [one["clean"]["mean"] for one in models])
    means = [one["mean_corruption_accuracy"]["mean"] for one in models]
    yield row(f"Mean of {kinds} kinds", means)
    for group, about in document["groups"].items():
        members = [name for name, kind in document["kinds"].items() if kind["group"] == group]
        head = f"{about['title'][:1].upper()}{about['title'][1:]}"
        yield row(head, [one["by_group"][group]["mean"] for one in models])
        for kind in members if len(members) > 1 else ():
            shares = [one["by_kind"][kind]["mean"] for one in models]
            yield row(document["kinds"][kind]["title"], shares, within=True)


def _examples(document: Document) -> list[Markup]:
    """A garment for each kind: as it is, then at each strength."""
    longest = max(len(kind["levels"]) for kind in document["kinds"].values())
    strips = []
    for name, example in document.get("examples", {}).items():
        kind = document["kinds"][name]
        levels = ", ".join(f"{level:g}" for level in kind["levels"])
        alt = (
            f"{kind['title']}: a test image of {example['class']} as it is, then with"
            f" {kind['parameter']} {levels}"
        )
        # All strips are of one width, so that their pixels are of one size.
        source = f"data:image/png;base64,{example['strip']}"
        strips.append((kind["title"], Shown(source, alt, "strip", (SIDE * (1 + longest), SIDE))))
    if not strips:
        return []
    return [made("samples", title="Examples: as it is, then at each strength", strips=strips)]


def _cells(document: Document) -> Markup:
    """Every kind at every strength, folded."""
    models: Mapping[str, Any] = document["models"]
    rows = []
    for name, kind in document["kinds"].items():
        for at, level in enumerate(kind["levels"]):
            shares = [percent(one["by_kind"][name]["accuracy"][at], 1) for one in models.values()]
            rows.append([kind["title"], kind["source"], f"{at + 1}", f"{level:g}", *shares])
    header = ["kind", "after", "strength", "level", *models]
    inner = table("Accuracy by kind and strength", header, rows, (0, 1))
    return made("folded", summary="Every kind at every strength", content=inner)
