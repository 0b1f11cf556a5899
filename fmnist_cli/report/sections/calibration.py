"""Reliability diagrams: how often a model is right when it is so sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.kinds import KINDS
from fmnist_cli.report.markup import Chart, Section, paragraph, percent, table
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import absent


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """A small diagram for each model."""
    del pictures
    name, title = "calibration", "Calibration"
    if "evaluation" not in inputs.sources:
        return absent(name, title, "evaluation")
    source = inputs.sources["evaluation"]
    models = {
        model: result
        for model, result in source.document["models"].items()
        if "reliability" in result
    }
    if not models:
        again = KINDS["evaluation"].command
        notice = f"Left out: {source.name} is of an older version. To measure again: {again}"
        return Section(name, title, "", (notice,))
    words = (
        "Each dot gathers the images whose confidence lies in one of 15 bins; its area grows with"
        " how many they are. On the dashed line a model is right as often as it says; above it,"
        " it is too modest, below it, too sure. ECE is the expected calibration error."
    )
    charts = "".join(
        _chart(model, inputs.title(model), one).html() for model, one in models.items()
    )
    body = paragraph(words) + f'<div class="quarters">\n{charts}</div>\n'
    return Section(name, title, body, inputs.stale("evaluation"))


def _chart(model: str, title: str, result: Mapping[str, Any]) -> Chart:
    bins = [one for one in result["reliability"] if one["images"]]
    most = max(one["images"] for one in bins)
    error = result["calibration_error"]
    diagonal = {
        "type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "hoverinfo": "skip",
        "line": {"color": "$soft", "dash": "dash", "width": 1},
    }  # fmt: skip
    dots = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [one["confidence"] for one in bins],
        "y": [one["accuracy"] for one in bins],
        "customdata": [one["images"] for one in bins],
        "line": {"color": "$c5", "width": 1.5},
        "marker": {
            "color": "$c5",
            "size": [5 + 15 * (one["images"] / most) ** 0.5 for one in bins],
            "opacity": 0.85,
        },
        "hovertemplate": (
            "confidence %{x:.1%}<br>accuracy %{y:.1%}<br>%{customdata:,} images<extra></extra>"
        ),
    }
    axis = {"range": [-0.03, 1.05], "tickformat": ".0%", "dtick": 0.25}
    sure = bins[-1]
    rows = [
        [
            f"{percent(one['lower'], 1)} to {percent(one['upper'], 1)}",
            f"{one['images']:,}",
            percent(one["confidence"], 1),
            percent(one["accuracy"], 1),
        ]
        for one in bins
    ]
    return Chart(
        f"reliability-{model}",
        f"{title}: ECE {error:.4f}",
        f"Accuracy against confidence in {len(bins)} bins, expected calibration error {error:.4f}."
        f" Of the {sure['images']:,} images it is surest of ({percent(sure['confidence'], 1)} on"
        f" average), {percent(sure['accuracy'], 1)} are right.",
        [diagonal, dots],
        {
            "xaxis": {"title": {"text": "confidence"}, **axis},
            "yaxis": {"title": {"text": "accuracy"}, **axis},
            "showlegend": False,
            "hovermode": "closest",
            "margin": {"l": 55, "r": 10, "t": 12, "b": 45},
        },
        table(["confidence", "images", "mean confidence", "accuracy"], rows, name=f"{title}: bins"),
        height=290,
    )
