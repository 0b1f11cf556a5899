"""The data: counts, samples, mean images, a map of images, and what the label audit found."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist_cli.data.fashion_mnist import CLASS_NAMES, SIDE
from fmnist_cli.html.contact_sheet import Card, pixels_of
from fmnist_cli.report.inputs import NO_PICTURES, Inputs, Made, Pictures
from fmnist_cli.report.parts import (
    ABOVE,
    COLUMNS,
    bars,
    chart,
    columns,
    data,
    hidden_sheet,
    made,
    percent,
    points,
    sheet,
    table,
    words,
)

if TYPE_CHECKING:
    from markupsafe import Markup

_EACH = 10  # samples of a class
_PAIRS = 12  # of label and suggestion that are listed
_LYING = {
    "yaxis": {"autorange": "reversed"},
    "legend": ABOVE,
    "margin": {"l": 90, "r": 20},
}  # of charts with a bar per class


def build(inputs: Inputs) -> Made:
    """Counts from the description; samples from the data set itself."""
    document, pictures = inputs.sources["data"].document, inputs.pictures
    notices = [] if pictures.splits else [NO_PICTURES]
    if inputs.other_data(document["data_checksum"]):
        notices.append(
            f"{inputs.sources['data'].name} describes other data than the models were trained on;"
            " describe it again: fmnist data describe -o data.json"
        )
    placed = document["embedding"]
    shown = pictures.at(placed["split"], placed["index"])
    if shown is not None and shown.labels.tolist() != placed["class_id"]:
        shown = None
    if pictures.splits and shown is None:
        notices.append("The map shows no pictures: it was made from other images than those here.")
    parts = [
        words(_facts(document["splits"])),
        columns(_counts(document["splits"]), _means(document["mean_images"])),
        *_samples(pictures),
        *_map(placed, None if shown is None else shown.pixels.shape[1]),
    ]
    if shown is not None:
        parts.append(hidden_sheet("map", shown.pixels))
    return parts, notices


def _facts(splits: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{split['images']:,} {name}" for name, split in splits.items())
    train = splits["train"]["pixels"]
    return (
        f"Fashion-MNIST, grey pictures of {SIDE}×{SIDE} pixels in ten classes: {sizes} images. Over"
        f" the training images a pixel is {percent(train['mean'], 1)} bright on average (standard"
        f" deviation {percent(train['standard_deviation'], 1)}), and"
        f" {percent(train['share_background'], 1)} of all pixels are black background."
    )


def _counts(splits: Mapping[str, Any]) -> Markup:
    looks = ((5, ""), (1, "/"), (3, "x"))
    traces = [
        bars(name, color, shape, split["classes"], "%{y}: %{x:,} images")
        for (name, split), (color, shape) in zip(splits.items(), looks, strict=False)
    ]
    rows = [
        [name, *(f"{split['classes'][name]:,}" for split in splits.values())]
        for name in splits["train"]["classes"]
    ]
    rows.append(["total", *(f"{split['images']:,}" for split in splits.values())])
    each = {name: set(split["classes"].values()) for name, split in splits.items()}
    finding = "Classes differ in how many images they have"
    if all(len(counts) == 1 for counts in each.values()):
        sizes = ", ".join(f"{min(counts):,} {name} images each" for name, counts in each.items())
        finding = f"All classes are equally frequent: {sizes}"
    title = "Images per class and split"
    axis = {"title": {"text": "images"}, "tickformat": ",d"}
    return chart(
        "counts",
        title,
        f"Stacked bars of images per class. {finding}.",
        traces,
        {"barmode": "stack", "xaxis": axis, **_LYING},
        table(title, ["class", *splits], rows),
    )


def _means(means: Mapping[str, str]) -> Markup:
    cards = []
    for name, encoded in means.items():
        image = np.frombuffer(b64decode(encoded), np.uint8).reshape(SIDE, SIDE)
        shown = pixels_of(image, f"mean of all training images labelled {name}")
        cards.append(Card([shown], notes=[name]))
    content = made("cards", members=cards, kind="means")
    return made("figure", title="Mean training image of each class", content=content)


def _samples(pictures: Pictures) -> list[Markup]:
    if not pictures.splits:
        return []
    images = pictures.splits["train"]
    strips = []
    for class_id, name in enumerate(CLASS_NAMES):
        chosen = images.pixels[np.flatnonzero(images.labels == class_id)[:_EACH]]
        if len(chosen):
            alt = f"the first {len(chosen)} training images of {name}"
            strips.append((name, pixels_of(sheet(chosen, _EACH), alt, "strip")))
    title = f"The first {_EACH} training images of each class"
    return [made("samples", title=title, strips=strips)]


def _map(placed: Mapping[str, Any], side: int | None) -> list[Markup]:
    """A map of images, and where there are pictures of this side the loupe for it."""
    members: dict[int, list[int]] = {}
    for number, class_id in enumerate(placed["class_id"]):
        members.setdefault(class_id, []).append(number)
    groups = sorted(members.items())
    drawn = chart(
        "map",
        f"Map of {len(placed['index']):,} {placed['split']} images: those that look alike are"
        " neighbours",
        f"Scatter plot by {placed['method']}. Points of one class lie together; the axes have no"
        " unit. The slider below goes through the points one by one.",
        # Lines between the classes' own symbols keep crowded points apart.
        [
            points(
                CLASS_NAMES[class_id],
                class_id,
                [placed["x"][number] for number in numbers],
                [placed["y"][number] for number in numbers],
                "%{fullData.name}",
                size=7,
                customdata=numbers,
            )
            for class_id, numbers in groups
        ],
        {
            "xaxis": {"visible": False},
            "yaxis": {"visible": False, "scaleanchor": "x"},
            "hovermode": "closest",
            "margin": {"l": 10, "r": 10, "b": 10},
            "legend": {"itemsizing": "constant"},
        },
        table(
            "Points per class",
            ["class", "points"],
            [[CLASS_NAMES[class_id], f"{len(numbers):,}"] for class_id, numbers in groups],
        ),
        height=560,
        narrow={"legend": {"orientation": "h", "y": -0.02, "yanchor": "top"}},
    )
    look = "Point at the map, tap it, or move the slider to see a picture. " if side else ""
    how = (
        f"{look}{placed['method']}, perplexity {placed['perplexity']:g}, seed {placed['seed']}."
        " Distances between far groups mean little."
    )
    if side is None:
        return [drawn, words(how, "soft")]
    labels = {
        "classes": list(CLASS_NAMES),
        "side": side,
        "columns": COLUMNS,
        "split": placed["split"],
        **{key: placed[key] for key in ("index", "class_id", "x", "y")},
        "order": [number for _, numbers in groups for number in numbers],
    }
    return [
        made("map", chart=drawn, side=side, count=len(placed["index"])),
        words(how, "soft words"),
        data("map-points", labels),
    ]


def audit(inputs: Inputs) -> Made:
    """Counts, estimated noise and the most frequent pairs of the label audit."""
    source = inputs.sources["audit"]
    document = source.document
    issues, copies = document["issues"], document["duplicates"]
    splits = ", ".join(f"{count:,} {split}" for split, count in issues["by_split"].items())
    found = (
        f"{issues['total']:,} labels are likely wrong ({splits}), by models that did not see the"
        " image; a listed label is a reason to look, not a verdict."
        f" {copies['images']:,} images in {copies['groups']:,} groups are near duplicates,"
        f" {copies['exact_images']:,} images are there twice exactly, and"
        f" {copies['test_images_also_in_train']:,} test images have their like in the training"
        " split. To look at them: fmnist data audit."
    )
    listed = table(
        "Most frequently listed labels",
        ["label", "suggested", "images"],
        [
            [one["label"], one["suggested"], f"{one['images']:,}"]
            for one in issues["by_label_and_suggestion"][:_PAIRS]
        ],
        (0, 1),
    )
    pairs = made("figure", title="Most frequently listed", content=listed)
    notices = []
    if inputs.other_data(document.get("data_checksum")):
        notices.append(
            f"{source.name} audits other data than the models were trained on; fmnist data audit"
        )
    return [words(found), columns(_noise(document["estimated_noise"]), pairs)], notices


def _noise(noise: Mapping[str, Mapping[str, float]]) -> Markup:
    train, test = noise["train"], noise["test"]
    worst = max(train, key=train.__getitem__)
    return chart(
        "noise",
        "Estimated share of wrong labels, by class",
        f"Bars per class. {worst} is the worst in the training file with {percent(train[worst])}.",
        [
            bars("training file", 5, "", train, "%{y}: %{x:.2%}"),
            bars("test file", 1, "/", test, "%{y}: %{x:.2%}"),
        ],
        {
            "barmode": "group",
            "xaxis": {"title": {"text": "share of labels"}, "tickformat": ".0%"},
            **_LYING,
        },
        table(
            "Estimated share of wrong labels",
            ["label", "training file", "test file"],
            [[label, percent(share), percent(test[label])] for label, share in train.items()],
        ),
        height=440,
    )
