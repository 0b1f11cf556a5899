"""How well each class is told, model against model."""

from __future__ import annotations

from typing import Any

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import COLOURS, SYMBOLS, Chart, Section, paragraph, table
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import absent

_SPREAD = 0.86  # of the height of a class


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """F1 by class and model."""
    del pictures
    name, title = "classes", "Classes across models"
    if "evaluation" not in inputs.sources:
        return absent(name, title, "evaluation")
    document = inputs.sources["evaluation"].document
    scores = {
        model: {one["label"]: one["f1"] for one in result["per_class"]}
        for model, result in document["models"].items()
    }
    first = next(iter(scores.values()))
    classes = sorted(first, key=lambda label: min(of[label] for of in scores.values()))
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": inputs.title(model),
            "x": [of[label] for label in classes],
            # Models lie below one another within a class, so that none hides another.
            "y": [
                place + _SPREAD * ((at + 0.5) / len(scores) - 0.5) for place in range(len(classes))
            ],
            "text": classes,
            "marker": {
                "color": COLOURS[at % len(COLOURS)],
                "symbol": SYMBOLS[at % len(SYMBOLS)],
                "size": 9,
                "line": {"width": 0.5, "color": "$paper"},
            },
            "hovertemplate": "%{text}: %{x:.4f}<extra>" + inputs.title(model) + "</extra>",
        }
        for at, (model, of) in enumerate(scores.items())
    ]
    hardest = classes[0]
    values = {model: of[hardest] for model, of in scores.items()}
    best, worst = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    chart = Chart(
        "classes",
        f"F1 of each class on the {document['split']} images, by model",
        f"Dots per class and model. {hardest} is the hardest class: its F1 goes from"
        f" {values[worst]:.3f} ({inputs.title(worst)}) to {values[best]:.3f}"
        f" ({inputs.title(best)}).",
        traces,
        {
            "xaxis": {"title": {"text": "F1"}, "tickformat": ".2f"},
            "yaxis": {
                "range": [len(classes) - 0.5, -0.5],
                "tickvals": list(range(len(classes))),
                "ticktext": classes,
                "showgrid": False,
            },
            "shapes": [_band(place) for place in range(0, len(classes), 2)],
            "hovermode": "closest",
        },
        table(
            ["class", *(inputs.title(model) for model in scores)],
            [[label, *(f"{of[label]:.4f}" for of in scores.values())] for label in classes],
            name="F1 by class and model",
        ),
        height=720,
        narrow={"legend": {"orientation": "h", "y": -0.1, "yanchor": "top"}},
    )
    words = "F1 is the harmonic mean of precision and recall; classes in order of difficulty."
    return Section(name, title, paragraph(words) + chart.html(), inputs.stale("evaluation"))


def _band(place: int) -> dict[str, Any]:
    """The ground behind a class."""
    return {
        "type": "rect",
        "layer": "below",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": place - 0.5,
        "y1": place + 0.5,
        "line": {"width": 0},
        "fillcolor": "$band",
    }
