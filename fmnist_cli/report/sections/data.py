"""The data: counts, samples, mean images, a map of images."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmnist_cli.data.fashion_mnist import CLASS_NAMES, SIDE
from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import (
    COLOURS,
    Chart,
    Section,
    paragraph,
    percent,
    table,
    text,
)
from fmnist_cli.report.pictures import Pictures, image_html, sheet, sheet_html
from fmnist_cli.report.sections import NO_PICTURES, absent
from fmnist_cli.report.sections.map import image_map

_EACH = 10  # samples of a class


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """Counts from the description; samples from the data set itself."""
    if "data" not in inputs.sources:
        return absent("data", "Data", "data")
    document = inputs.sources["data"].document
    notices = [] if pictures.splits else [NO_PICTURES]
    if inputs.other_data(document["data_checksum"]):
        notices.append(
            f"{inputs.sources['data'].name} describes other data than the models were trained on;"
            " describe it again: fmnist data describe -o data.json"
        )
    points = document["embedding"]
    shown = pictures.at(points["split"], points["index"])
    if shown is not None and shown.labels.tolist() != points["class_id"]:
        shown = None
    if pictures.splits and shown is None:
        notices.append("The map shows no pictures: it was made from other images than those here.")
    body = [
        paragraph(_facts(document["splits"])),
        '<div class="pair">\n',
        _counts(document["splits"]).html(),
        _means(document["mean_images"]),
        "</div>\n",
        _samples(pictures),
        image_map(points, CLASS_NAMES, None if shown is None else shown.pixels.shape[1]),
    ]
    if shown is not None:
        body.append(sheet_html("map", shown.pixels))
    return Section("data", "Data", "".join(body), notices)


def _facts(splits: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{split['images']:,} {name}" for name, split in splits.items())
    train = splits["train"]["pixels"]
    return (
        f"Fashion-MNIST, grey pictures of {SIDE}×{SIDE} pixels in ten classes: {sizes} images. Over"
        f" the training images a pixel is {percent(train['mean'], 1)} bright on average (standard"
        f" deviation {percent(train['standard_deviation'], 1)}), and"
        f" {percent(train['share_background'], 1)} of all pixels are black background."
    )


def _counts(splits: Mapping[str, Any]) -> Chart:
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": list(split["classes"]),
            "x": list(split["classes"].values()),
            "marker": {
                "color": COLOURS[colour],
                "pattern": {
                    "shape": shape,
                    "solidity": 0.25,
                    "fgcolor": "$paper",
                    "bgcolor": COLOURS[colour],
                },
            },
            "hovertemplate": "%{y}: %{x:,} images<extra>" + name + "</extra>",
        }
        for (name, split), colour, shape in zip(
            splits.items(), (5, 1, 3), ("", "/", "x"), strict=False
        )
    ]
    layout = {
        "barmode": "stack",
        "xaxis": {"title": {"text": "images"}, "tickformat": ",d"},
        "yaxis": {"autorange": "reversed"},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        "margin": {"l": 90, "r": 20},
    }
    rows = [
        [name, *(f"{split['classes'][name]:,}" for split in splits.values())]
        for name in splits["train"]["classes"]
    ]
    rows.append(["total", *(f"{split['images']:,}" for split in splits.values())])
    each = {name: set(split["classes"].values()) for name, split in splits.items()}
    even = all(len(counts) == 1 for counts in each.values())
    finding = (
        "All classes are equally frequent: "
        + ", ".join(f"{min(counts):,} {name} images each" for name, counts in each.items())
        if even
        else "Classes differ in how many images they have"
    )
    return Chart(
        "counts",
        "Images per class and split",
        f"Stacked bars of images per class. {finding}.",
        traces,
        layout,
        table(["class", *splits], rows, name="Images per class and split"),
    )


def _means(means: Mapping[str, str]) -> str:
    cells = []
    for name, encoded in means.items():
        image = np.frombuffer(b64decode(encoded), np.uint8).reshape(SIDE, SIDE)
        picture = image_html(image, f"mean of all training images labelled {name}")
        cells.append(f"<li>{picture}<span>{text(name)}</span></li>\n")
    return (
        "<figure><figcaption>Mean training image of each class</figcaption>\n"
        f'<ul class="tiles means">{"".join(cells)}</ul></figure>\n'
    )


def _samples(pictures: Pictures) -> str:
    if not pictures.splits:
        return ""
    images = pictures.splits["train"]
    rows = []
    for class_id, name in enumerate(CLASS_NAMES):
        chosen = images.pixels[np.flatnonzero(images.labels == class_id)[:_EACH]]
        if len(chosen):
            strip = image_html(
                sheet(chosen, _EACH), f"the first {len(chosen)} training images of {name}", "strip"
            )
            rows.append(f"<li><span>{text(name)}</span>{strip}</li>\n")
    return (
        f"<figure><figcaption>The first {_EACH} training images of each class</figcaption>\n"
        f'<ul class="samples">{"".join(rows)}</ul></figure>\n'
    )
