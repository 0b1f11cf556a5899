"""A map of images: those that look alike are neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fmnist_cli.report.markup import COLOURS, SYMBOLS, Chart, data, paragraph, table
from fmnist_cli.report.pictures import COLUMNS


def image_map(points: Mapping[str, Any], class_names: Sequence[str], side: int | None) -> str:
    """The map, and where there are pictures the loupe that page.js fills.

    Args:
        points: ``embedding`` of a description of the data.
        class_names: of the data.
        side: height and width of the pictures in the page's sheet of them; None without a sheet.
    """
    members: dict[int, list[int]] = {}
    for number, class_id in enumerate(points["class_id"]):
        members.setdefault(class_id, []).append(number)
    # White lines between the classes' own symbols keep crowded points apart.
    traces = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": class_names[class_id],
            "x": [points["x"][number] for number in numbers],
            "y": [points["y"][number] for number in numbers],
            "customdata": numbers,
            "marker": {
                "color": COLOURS[class_id],
                "symbol": SYMBOLS[class_id],
                "size": 7,
                "line": {"width": 0.5, "color": "$paper"},
            },
            "hovertemplate": "%{fullData.name}<extra></extra>",
        }
        for class_id, numbers in sorted(members.items())
    ]
    chart = Chart(
        "map",
        f"Map of {len(points['index']):,} {points['split']} images: those that look alike are"
        " neighbours",
        f"Scatter plot by {points['method']}. Points of one class lie together; the axes have no"
        " unit. The slider below goes through the points one by one.",
        traces,
        {
            "xaxis": {"visible": False},
            "yaxis": {"visible": False, "scaleanchor": "x"},
            "hovermode": "closest",
            "margin": {"l": 10, "r": 10, "b": 10},
            "legend": {"itemsizing": "constant"},
        },
        table(
            ["class", "points"],
            [[class_names[at], f"{len(members[at]):,}"] for at in sorted(members)],
            name="Points per class",
        ),
        height=560,
        narrow={"legend": {"orientation": "h", "y": -0.02, "yanchor": "top"}},
    )
    order = [number for _, numbers in sorted(members.items()) for number in numbers]
    labels = {
        "classes": list(class_names),
        "side": side,
        "columns": COLUMNS,
        "split": points["split"],
        **{key: points[key] for key in ("index", "class_id", "x", "y")},
        "order": order,
    }
    look = "Point at the map, tap it, or move the slider to see a picture. " if side else ""
    how = (
        f"{look}{points['method']}, perplexity {points['perplexity']:g}, seed {points['seed']}."
        " Distances between far groups mean little."
    )
    if side is None:
        return chart.html() + paragraph(how, "soft")
    return (
        '<div class="map">\n'
        + chart.html()
        + f'<div class="loupe" id="loupe"><canvas width="{side}" height="{side}" role="img"'
        ' aria-label="no image chosen"></canvas><output aria-live="polite"></output>'
        f'<label>Image <input type="range" min="1" max="{len(order)}" value="1"></label></div>\n'
        + "</div>\n"
        + paragraph(how, "soft words")
        + data("map-points", labels)
    )
