"""Where the networks looked: heat maps over pictures."""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.html.contact_sheet import Card, heat_colors, in_color, pixels_of, under_heat
from fmnist_cli.report.inputs import NO_PICTURES, Inputs, Made, Pictures
from fmnist_cli.report.parts import made, percent, words

_MOST = 80  # maps that are shown


def maps(inputs: Inputs) -> Made:
    """Picture, heat and both together; heat alone without the data set."""
    source = inputs.sources["explanations"]
    items = source.document["items"]
    notices = inputs.stale("explanations")
    if not inputs.pictures.splits:
        notices.append(NO_PICTURES)
    if len(items) > _MOST:
        notices.append(f"{source.name} holds {len(items):,} explanations; the first {_MOST} follow")
    # What all have in common stands once where a file is of one model.
    shared = {key: source.document[key] for key in ("method", "layer") if key in source.document}
    if "model" in source.document:
        shared["model"] = source.document["model"]["name"]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for item in items[:_MOST]:
        groups.setdefault({**shared, **item}["model"], []).append({**shared, **item})
    parts = [
        words(
            "Left: the picture; middle: the class activation map; right: both (of test images; of"
            " others the map alone). Bright is what speaks"
            " for the target class, which is the predicted one where no other is named."
        )
    ]
    for model, members in groups.items():
        how = sorted({f"{item['method']}, layer {item['layer']}" for item in members})
        cards = [_card(item, inputs.pictures) for item in members]
        parts += [
            made("heading", text=model),
            words(" · ".join(how), "soft"),
            made("cards", members=cards, kind="wide"),
        ]
    return parts, notices


def _card(item: Mapping[str, Any], pictures: Pictures) -> Card:
    values = np.frombuffer(b64decode(item["heat"]), np.uint8)
    # Files of older versions say no shape; their maps are square.
    heat = values.reshape(item.get("shape", [math.isqrt(values.size), -1]))
    predicted, target, true = item["predicted"], item["target"], item["true"]
    known = item["split"] is not None and item["index"] is not None
    # Of other splits the index is a place in the split and not in the official file.
    found = pictures.at("test", [item["index"]]) if known and item["split"] == "test" else None
    place = f"{item['split']} {item['index']}" if known else str(item.get("source", "a picture"))
    panes = [heat_colors(heat)]
    # Another data set than the one explained would put the heat on another picture.
    if found is not None and true in (None, CLASS_NAMES[found.labels[0]]):
        pixels = found.pixels[0]
        panes = [in_color(pixels), panes[0], under_heat(pixels, heat)]
    gap = np.zeros((len(heat), 1, 3), np.uint8)
    strip = np.concatenate([part for pane in panes for part in (pane, gap)][:-1], axis=1)
    labelled = "" if true is None else f", labelled {true}"
    alt = f"{place}{labelled}: heat map of {item['method']} for {target}"
    notes = [] if true is None else [f"labelled {true}"]
    if target != predicted:
        notes.append(f"map for {target}")
    wrong = "" if true in (None, predicted) else " ✗"
    return Card(
        [pixels_of(strip, alt, "strip")],
        verdicts=[(f"{predicted}{wrong}", percent(item["confidence"], 1))],
        notes=notes,
        path=place,
    )
