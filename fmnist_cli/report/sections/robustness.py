"""Accuracy on pictures made worse on purpose: by kind, by strength, and what they look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fmnist_cli.data.fashion_mnist import SIDE
from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import (
    COLOURS,
    DASHES,
    SYMBOLS,
    Chart,
    Section,
    paragraph,
    percent,
    table,
    text,
)
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import absent

Document = Mapping[str, Any]
# Accuracy below which a cell is shaded by one more step of page.css.
_STEPS = (0.9, 0.8, 0.65, 0.5, 0.35, 0.2)


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """A chart over strengths, a shaded table over kinds, examples, and every cell."""
    del pictures
    name, title = "robustness", "Robustness"
    if "robustness" not in inputs.sources:
        return absent(name, title, "robustness")
    document = inputs.sources["robustness"].document
    counted = [name for name, about in document["groups"].items() if about["counted"]]
    kinds = sum(kind["group"] in counted for kind in document["kinds"].values())
    words = (
        f"The same {document['images']:,} {document['split']} images for every model, made worse in"
        f" {kinds} ways at growing strength (noise, blur, light, cover, geometry), and besides"
        " these turned into negatives, tilted, turned, put before other backgrounds and saved as"
        " JPEG. Cells of a table are means over strengths."
    )
    body = [
        paragraph(words),
        _over_strengths(inputs, document, kinds).html(),
        _by_kind(inputs, document, kinds),
        _examples(document),
        _cells(inputs, document),
    ]
    return Section(name, title, "".join(body), inputs.stale("robustness"))


def _over_strengths(inputs: Inputs, document: Document, kinds: int) -> Chart:
    """Mean over the counted kinds, from untouched pictures to the greatest strength."""
    models: Mapping[str, Any] = document["models"]
    lines = {
        model: [one["clean"]["mean"], *(at["mean"] for at in one["by_strength"])]
        for model, one in models.items()
    }
    traces = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": inputs.title(model),
            "x": list(range(len(shares))),
            "y": shares,
            "line": {"color": COLOURS[at % len(COLOURS)], "dash": DASHES[at % len(DASHES)]},
            "marker": {"symbol": SYMBOLS[at % len(SYMBOLS)], "size": 8},
            "hovertemplate": "%{y:.1%}<extra>" + inputs.title(model) + "</extra>",
        }
        for at, (model, shares) in enumerate(lines.items())
    ]
    means = {model: one["mean_corruption_accuracy"] for model, one in models.items()}
    best = max(means, key=lambda model: means[model]["mean"])
    worst = min(means, key=lambda model: means[model]["mean"])
    strongest = len(next(iter(lines.values()))) - 1
    rows = [
        [
            inputs.title(model),
            *(percent(share, 1) for share in shares),
            f"{percent(means[model]['mean'], 1)}"
            f" [{percent(means[model]['low'], 1)}, {percent(means[model]['high'], 1)}]",
            "–"
            if models[model]["relative_drop"] is None
            else percent(models[model]["relative_drop"], 1),
        ]
        for model, shares in lines.items()
    ]
    header = ["model", "clean", *(f"strength {at}" for at in range(1, strongest + 1))]
    header += ["mean corruption accuracy [95 %]", "relative drop"]
    return Chart(
        "strength",
        f"Accuracy by strength, mean over {kinds} kinds of corruption",
        f"Lines from clean images to strength {strongest}. The mean over kinds and strengths goes"
        f" from {percent(means[worst]['mean'], 1)} ({inputs.title(worst)}) to"
        f" {percent(means[best]['mean'], 1)} ({inputs.title(best)}).",
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
        table(header, rows, name="Accuracy by strength"),
        height=480,
        narrow={"legend": {"orientation": "h", "y": -0.2, "yanchor": "top"}},
    )


def _by_kind(inputs: Inputs, document: Document, kinds: int) -> str:
    """A shaded table: a row per group and kind, a column per model."""
    models: Mapping[str, Any] = document["models"]
    heads = "".join(f'<th scope="col">{text(inputs.title(model))}</th>' for model in models)
    rows = "".join(
        f'<tr{"" if within else " class=group"}><th scope="row">{text(head)}</th>'
        + "".join(
            f'<td class="l{sum(share < step for step in _STEPS)}">{100 * share:.1f}</td>'
            for share in shares
        )
        + "</tr>\n"
        for head, within, shares in _rows(document, kinds)
    )
    return (
        "<figure><figcaption>Accuracy (%) by kind, mean over its strengths; the stronger the"
        ' colour, the lower</figcaption>\n<div class="scroll whole" role="region" tabindex="0"'
        ' aria-label="Accuracy by kind of corruption"><table class="shaded"><thead><tr>'
        f'<th scope="col" class="name">kind</th>{heads}</tr></thead><tbody>\n'
        f"{rows}</tbody></table></div></figure>\n"
    )


def _rows(document: Document, kinds: int) -> Iterator[tuple[str, bool, list[float]]]:
    """Head, whether it is one kind of several of its group, accuracy of each model."""
    models = document["models"].values()
    yield "Clean", False, [one["clean"]["mean"] for one in models]
    means = [one["mean_corruption_accuracy"]["mean"] for one in models]
    yield f"Mean of {kinds} kinds", False, means
    for group, about in document["groups"].items():
        members = [name for name, kind in document["kinds"].items() if kind["group"] == group]
        title = about["title"]
        head = f"{title[:1].upper()}{title[1:]}"
        yield head, False, [one["by_group"][group]["mean"] for one in models]
        for kind in members if len(members) > 1 else ():
            title = document["kinds"][kind]["title"]
            yield title, True, [one["by_kind"][kind]["mean"] for one in models]


def _examples(document: Document) -> str:
    """A garment for each kind: as it is, then at each strength."""
    examples: Mapping[str, Mapping[str, str]] = document.get("examples", {})
    rows = []
    for name, example in examples.items():
        kind = document["kinds"][name]
        levels = ", ".join(f"{level:g}" for level in kind["levels"])
        alt = (
            f"{kind['title']}: a test image of {example['class']} as it is, then with"
            f" {kind['parameter']} {levels}"
        )
        rows.append(
            f"<li><span>{text(kind['title'])}</span>"
            f'<img class="strip" src="data:image/png;base64,{text(example["strip"])}"'
            f' width="{SIDE * (1 + _longest(document))}" height="{SIDE}" decoding="async"'
            f' alt="{text(alt)}"></li>\n'
        )
    if not rows:
        return ""
    return (
        "<figure><figcaption>Examples: as it is, then at each strength</figcaption>\n"
        f'<ul class="samples">{"".join(rows)}</ul></figure>\n'
    )


def _longest(document: Document) -> int:
    return max(len(kind["levels"]) for kind in document["kinds"].values())


def _cells(inputs: Inputs, document: Document) -> str:
    """Every kind at every strength, folded."""
    models: Mapping[str, Any] = document["models"]
    rows = [
        [
            kind["title"],
            kind["source"],
            f"{strength}",
            f"{level:g}",
            *(
                percent(one["by_kind"][name]["accuracy"][strength - 1], 1)
                for one in models.values()
            ),
        ]
        for name, kind in document["kinds"].items()
        for strength, level in enumerate(kind["levels"], start=1)
    ]
    header = ["kind", "after", "strength", "level", *(inputs.title(model) for model in models)]
    inner = table(header, rows, words=(0, 1), name="Accuracy by kind and strength")
    return f"<details><summary>Every kind at every strength</summary>{inner}</details>\n"
