"""What the audit of the labels found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import Chart, Section, paragraph, percent, table
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import absent

_PAIRS = 12


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """Counts, estimated noise and the most frequent pairs."""
    del pictures
    name, title = "audit", "Labels and duplicates"
    if "audit" not in inputs.sources:
        return absent(name, title, "audit")
    source = inputs.sources["audit"]
    document = source.document
    issues, copies = document["issues"], document["duplicates"]
    splits = ", ".join(f"{count:,} {split}" for split, count in issues["by_split"].items())
    words = (
        f"{issues['total']:,} labels are likely wrong ({splits}), by models that did not see the"
        " image; a listed label is a reason to look, not a verdict."
        f" {copies['images']:,} images in {copies['groups']:,} groups are near duplicates,"
        f" {copies['exact_images']:,} images are there twice exactly, and"
        f" {copies['test_images_also_in_train']:,} test images have their like in the training"
        " split. To look at them: fmnist data audit."
    )
    pairs = issues["by_label_and_suggestion"][:_PAIRS]
    listed = table(
        ["label", "suggested", "images"],
        [[one["label"], one["suggested"], f"{one['images']:,}"] for one in pairs],
        words=(0, 1),
        name="Most frequently listed labels",
    )
    body = (
        paragraph(words)
        + '<div class="pair">\n'
        + _noise(document["estimated_noise"]).html()
        + f"<figure><figcaption>Most frequently listed</figcaption>{listed}</figure></div>\n"
    )
    return Section(name, title, body, _stale(inputs, document, source.name))


def _stale(inputs: Inputs, document: Mapping[str, Any], file: str) -> list[str]:
    if not inputs.other_data(document.get("data_checksum")):
        return []
    return [f"{file} audits other data than the models were trained on; fmnist data audit"]


def _noise(noise: Mapping[str, Mapping[str, float]]) -> Chart:
    names = {"train": "training file", "test": "test file"}
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": names[part],
            "y": list(noise[part]),
            "x": list(noise[part].values()),
            "marker": {
                "color": colour,
                "pattern": {
                    "shape": shape,
                    "solidity": 0.25,
                    "fgcolor": "$paper",
                    "bgcolor": colour,
                },
            },
            "hovertemplate": "%{y}: %{x:.2%}<extra>" + names[part] + "</extra>",
        }
        for part, colour, shape in (("train", "$c5", ""), ("test", "$c1", "/"))
    ]
    worst = max(noise["train"], key=noise["train"].__getitem__)
    rows = [
        [label, percent(share), percent(noise["test"][label])]
        for label, share in noise["train"].items()
    ]
    return Chart(
        "noise",
        "Estimated share of wrong labels, by class",
        f"Bars per class. {worst} is the worst in the training file with"
        f" {percent(noise['train'][worst])}.",
        traces,
        {
            "barmode": "group",
            "xaxis": {"title": {"text": "share of labels"}, "tickformat": ".0%"},
            "yaxis": {"autorange": "reversed"},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
            "margin": {"l": 90, "r": 20},
        },
        table(["label", *names.values()], rows, name="Estimated share of wrong labels"),
        height=440,
    )
