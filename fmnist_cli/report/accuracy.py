"""Models beside each other: classes, accuracy against latency, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fmnist_cli.html.page import SPACE
from fmnist_cli.report.inputs import KINDS, Inputs, Made
from fmnist_cli.report.parts import (
    COLOURS,
    chart,
    columns,
    figure,
    megabytes,
    percent,
    points,
    table,
    words,
)

if TYPE_CHECKING:
    from markupsafe import Markup

_SPREAD = 0.86  # of the height of a class, over which its models are spread


def classes(inputs: Inputs) -> Made:
    """F1 by class and model."""
    document = inputs.sources["evaluation"].document
    scores = {
        model: {one["label"]: one["f1"] for one in result["per_class"]}
        for model, result in document["models"].items()
    }
    first = next(iter(scores.values()))
    labels = sorted(first, key=lambda label: min(of[label] for of in scores.values()))
    traces = []
    for at, (model, of) in enumerate(scores.items()):
        # Models lie below one another within a class, so that none hides another.
        shift = _SPREAD * ((at + 0.5) / len(scores) - 0.5)
        places = [place + shift for place in range(len(labels))]
        values = [of[label] for label in labels]
        form = "%{text}: %{x:.4f}"
        traces.append(points(model, at, values, places, form, size=9, text=labels))
    hardest = {model: of[labels[0]] for model, of in scores.items()}
    best, worst = max(hardest, key=hardest.__getitem__), min(hardest, key=hardest.__getitem__)
    drawn = chart(
        "classes",
        f"F1 of each class on the {document['split']} images, by model",
        f"Dots per class and model. {labels[0]} is the hardest class: its F1 goes from"
        f" {hardest[worst]:.3f} ({worst}) to {hardest[best]:.3f} ({best}).",
        traces,
        {
            "xaxis": {"title": {"text": "F1"}, "tickformat": ".2f"},
            "yaxis": {
                "range": [len(labels) - 0.5, -0.5],
                "tickvals": list(range(len(labels))),
                "ticktext": labels,
                "showgrid": False,
            },
            "shapes": [_band(place) for place in range(0, len(labels), 2)],
            "hovermode": "closest",
        },
        table(
            "F1 by class and model",
            ["class", *scores],
            [[label, *(f"{of[label]:.4f}" for of in scores.values())] for label in labels],
        ),
        height=720,
        narrow={"legend": {"orientation": "h", "y": -0.1, "yanchor": "top"}},
    )
    how = "F1 is the harmonic mean of precision and recall; classes in order of difficulty."
    return [words(how), drawn], inputs.stale("evaluation")


def _band(place: int) -> dict[str, Any]:
    """The ground behind a class."""
    ends = {"x0": 0, "x1": 1, "y0": place - 0.5, "y1": place + 0.5}
    look = {"layer": "below", "line": {"width": 0}, "fillcolor": "$band"}
    return {"type": "rect", "xref": "paper", **ends, **look}


def front(costs: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (cost, quality) that none beats in one and equals in the other.

    In order of cost.
    """
    best = float("-inf")
    found = []
    for name in sorted(costs, key=lambda name: (costs[name][0], -costs[name][1])):
        if costs[name][1] > best:
            best = costs[name][1]
            found.append(name)
    return found


def cost(inputs: Inputs) -> Made:
    """The Pareto chart and what it is drawn from."""
    document = inputs.sources["bench"].document
    models = document["models"]
    known = {
        model: (one["timing"]["latency"]["p50_ms"], one["quality"]["accuracy"])
        for model, one in models.items()
        if one.get("quality")
    }
    notices = inputs.stale("bench")
    without = [model for model in models if model not in known]
    missing = [model for model in without if models[model].get("of_data_set", True)]
    if missing:
        names = ", ".join(missing)
        notices.append(f"without accuracy, so only in the table: {names}")
    best = front(known)
    header = [
        "model", "accuracy", "p50 (ms)", "p95 (ms)", "p99 (ms)", "images/s", "file",
        "parameters", "on the front",
    ]  # fmt: skip
    rows = [_costs(model, one, model in best) for model, one in models.items()]
    costs = table("Accuracy and cost", header, rows, (0, 8))
    if not known:
        return [costs], notices
    threads = f" with {document['threads']} threads" if document.get("threads") else ""
    processor = document.get("machine", {}).get("processor", "an unnamed CPU")
    how = (
        f"Latency of one image per call, median, on {processor}{threads}. No model is both faster"
        " and more accurate than one on the line."
    )
    others = ", ".join(model for model in without if model not in missing)
    if others:
        how += f" Not for the test images, so only in the table: {others}."
    return [words(how), _pareto(known, best, models, costs)], notices


def _costs(model: str, one: Mapping[str, Any], on_front: bool) -> list[str]:
    latency = one["timing"]["latency"]
    quality, parameters = one.get("quality"), one.get("parameters")
    return [
        model,
        percent(quality["accuracy"]) if quality else "–",
        *(figure(latency[key]) for key in ("p50_ms", "p95_ms", "p99_ms")),
        f"{one['timing']['images_per_s']:,.0f}",
        megabytes(one["file_bytes"]),
        "–" if parameters is None else f"{parameters:,}",
        ("yes" if on_front else "no") if quality else "–",
    ]


def _pareto(
    known: Mapping[str, tuple[float, float]],
    best: Sequence[str],
    models: Mapping[str, Mapping[str, Any]],
    costs: Markup,
) -> Markup:
    heights = [y for _, y in known.values()]
    span = max(heights) - min(heights) or 0.01
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "Pareto front",
        "x": [known[model][0] for model in best],
        "y": [known[model][1] for model in best],
        "line": {"color": "$soft", "dash": "dash", "width": 1.5},
        "hoverinfo": "skip",
    }
    dots = []
    for at, (model, (x, y)) in enumerate(known.items()):
        form = "%{y:.2%} at %{x:.3g} ms, " + megabytes(models[model]["file_bytes"])
        dot = points(model, at, [x], [y], form, size=12)
        dot["marker"]["line"] = {"width": 1.5, "color": COLOURS[at % len(COLOURS)]}
        dot["marker"]["symbol"] += "" if model in best else "-open"
        dots.append(dot)
    names = ", ".join(
        f"{m} ({percent(known[m][1])} at {figure(known[m][0])}{SPACE}ms)" for m in best
    )
    return chart(
        "pareto",
        "Test accuracy by median latency (ms, logarithmic); filled: on the Pareto front",
        f"Scatter plot of {len(known)} models. On the Pareto front, from fast to accurate:"
        f" {names}.",
        [line, *dots],
        {
            "xaxis": {
                "type": "log",
                "title": {"text": "latency p50 of one image (ms)"},
                "tickvals": [digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5)],
                "tickformat": "~g",
            },
            "yaxis": {
                "title": {"text": "test accuracy"},
                "tickformat": ".0%",
                # Room for labels.
                "range": [min(heights) - 0.08 * span, max(heights) + 0.15 * span],
            },
            "showlegend": False,
            "hovermode": "closest",
            "margin": {"r": 30},
            # report.js writes a label beside each point, where there is room.
            "meta": {"labels": True},
        },
        costs,
        height=460,
    )


def calibration(inputs: Inputs) -> Made:
    """A small reliability diagram for each model: how often it is right when it is so sure."""
    source = inputs.sources["evaluation"]
    models = {
        model: result
        for model, result in source.document["models"].items()
        if "reliability" in result
    }
    if not models:
        again = KINDS["evaluation"].command
        return [], [f"Left out: {source.name} is of an older version. To measure again: {again}"]
    how = (
        "Each dot gathers the images whose confidence lies in one of 15 bins; its area grows with"
        " how many they are. On the dashed line a model is right as often as it says; above it,"
        " it is too modest, below it, too sure. ECE is the expected calibration error."
    )
    charts = [_reliability(model, one) for model, one in models.items()]
    return [words(how), columns(*charts, kind="quarters")], inputs.stale("evaluation")


def _reliability(model: str, result: Mapping[str, Any]) -> Markup:
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
    return chart(
        f"reliability-{model}",
        f"{model}: ECE {error:.4f}",
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
        table(f"{model}: bins", ["confidence", "images", "mean confidence", "accuracy"], rows),
        height=290,
    )
