"""Accuracy against latency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import (
    COLOURS,
    SPACE,
    SYMBOLS,
    Chart,
    Section,
    figure,
    megabytes,
    paragraph,
    percent,
    table,
)
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import absent


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (cost, quality) that none beats in one and equals in the other.

    In order of cost.
    """
    best = float("-inf")
    found = []
    for name in sorted(points, key=lambda name: (points[name][0], -points[name][1])):
        if points[name][1] > best:
            best = points[name][1]
            found.append(name)
    return found


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """The Pareto chart and what it is drawn from."""
    del pictures
    name, title = "cost", "Accuracy against latency"
    if "bench" not in inputs.sources:
        return absent(name, title, "bench")
    document = inputs.sources["bench"].document
    models = document["models"]
    points = {
        model: (one["timing"]["latency"]["p50_ms"], one["quality"]["accuracy"])
        for model, one in models.items()
        if one.get("quality")
    }
    notices = inputs.stale("bench")
    without = [model for model in models if model not in points]
    missing = [model for model in without if models[model].get("of_data_set", True)]
    if missing:
        names = ", ".join(map(inputs.title, missing))
        notices.append(f"without accuracy, so only in the table: {names}")
    others = [inputs.title(model) for model in without if model not in missing]
    best = front(points)
    costs = _table(inputs, models, best)
    if not points:
        return Section(name, title, costs, notices)
    machine = document.get("machine", {})
    threads = document.get("threads")
    words = (
        f"Latency of one image per call, median, on {machine.get('processor', 'an unnamed CPU')}"
        + (f" with {threads} threads" if threads else "")
        + ". No model is both faster and more accurate than one on the line."
    )
    if others:
        words += f" Not for the test images, so only in the table: {', '.join(others)}."
    chart = _chart(inputs, points, best, models, costs)
    return Section(name, title, paragraph(words) + chart.html(), notices)


def _chart(
    inputs: Inputs,
    points: Mapping[str, tuple[float, float]],
    best: list[str],
    models: Mapping[str, Mapping[str, Any]],
    costs: str,
) -> Chart:
    heights = [y for _, y in points.values()]
    span = max(heights) - min(heights) or 0.01
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "Pareto front",
        "x": [points[model][0] for model in best],
        "y": [points[model][1] for model in best],
        "line": {"color": "$soft", "dash": "dash", "width": 1.5},
        "hoverinfo": "skip",
    }
    dots = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": inputs.title(model),
            "x": [x],
            "y": [y],
            "marker": {
                "color": COLOURS[at % len(COLOURS)],
                "symbol": SYMBOLS[at % len(SYMBOLS)] + ("" if model in best else "-open"),
                "size": 12,
                "line": {"width": 1.5, "color": COLOURS[at % len(COLOURS)]},
            },
            "hovertemplate": (
                "%{y:.2%} at %{x:.3g} ms, " + megabytes(models[model]["file_bytes"])
                + "<extra>" + inputs.title(model) + "</extra>"
            ),
        }
        for at, (model, (x, y)) in enumerate(points.items())
    ]  # fmt: skip
    names = ", ".join(
        f"{inputs.title(m)} ({percent(points[m][1])} at {figure(points[m][0])}{SPACE}ms)"
        for m in best
    )
    return Chart(
        "pareto",
        "Test accuracy by median latency (ms, logarithmic); filled: on the Pareto front",
        f"Scatter plot of {len(points)} models. On the Pareto front, from fast to accurate:"
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
            # page.js writes a label beside each point, where there is room.
            "meta": {"labels": True},
        },
        costs,
        height=460,
    )


def _table(inputs: Inputs, models: Mapping[str, Mapping[str, Any]], best: list[str]) -> str:
    """What every model costs, and how accurate it is where that is known."""
    rows = [_row(inputs, model, one, model in best) for model, one in models.items()]
    header = [
        "model", "accuracy", "p50 (ms)", "p95 (ms)", "p99 (ms)", "images/s", "file",
        "parameters", "on the front",
    ]  # fmt: skip
    return table(header, rows, words=(0, 8), name="Accuracy and cost")


def _row(inputs: Inputs, model: str, one: Mapping[str, Any], on_front: bool) -> list[str]:
    latency = one["timing"]["latency"]
    quality, parameters = one.get("quality"), one.get("parameters")
    return [
        inputs.title(model),
        percent(quality["accuracy"]) if quality else "–",
        *(figure(latency[key]) for key in ("p50_ms", "p95_ms", "p99_ms")),
        f"{one['timing']['images_per_s']:,.0f}",
        megabytes(one["file_bytes"]),
        "–" if parameters is None else f"{parameters:,}",
        ("yes" if on_front else "no") if quality else "–",
    ]
