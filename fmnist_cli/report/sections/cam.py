"""Where the networks looked: heat maps over pictures."""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import numpy as np

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import Section, paragraph, percent, text
from fmnist_cli.report.pictures import Pictures, heat_colours, image_html, overlay
from fmnist_cli.report.sections import NO_PICTURES, absent

_MOST = 80


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """Picture, heat and both together; heat alone without the data set."""
    name, title = "gradcam", "Where the networks looked"
    if "explanations" not in inputs.sources:
        return absent(name, title, "explanations")
    source = inputs.sources["explanations"]
    items = source.document["items"]
    notices = inputs.stale("explanations")
    if not pictures.splits:
        notices.append(NO_PICTURES)
    if len(items) > _MOST:
        notices.append(f"{source.name} holds {len(items):,} explanations; the first {_MOST} follow")
    words = (
        "Left: the picture; middle: the class activation map; right: both (of test images; of"
        " others the map alone). Bright is what speaks"
        " for the target class, which is the predicted one where no other is named."
    )
    # What all have in common stands once where a file is of one model.
    shared = {key: source.document[key] for key in ("method", "layer") if key in source.document}
    if "model" in source.document:
        shared["model"] = source.document["model"]["name"]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for item in items[:_MOST]:
        groups.setdefault({**shared, **item}["model"], []).append({**shared, **item})
    body = [paragraph(words)]
    for model, members in groups.items():
        how = sorted({f"{item['method']}, layer {item['layer']}" for item in members})
        body.append(f"<h3>{text(inputs.title(model))}</h3>\n")
        body.append(paragraph(" · ".join(how), "soft"))
        cards = "".join(_card(item, pictures) for item in members)
        body.append(f'<ul class="tiles cams">{cards}</ul>\n')
    return Section(name, title, "".join(body), notices)


def _card(item: Mapping[str, Any], pictures: Pictures) -> str:
    values = np.frombuffer(b64decode(item["heat"]), np.uint8)
    # Files of older versions say no shape; their maps are square.
    heat = values.reshape(item.get("shape", [math.isqrt(values.size), -1]))
    predicted, target, true = item["predicted"], item["target"], item["true"]
    known = item["split"] is not None and item["index"] is not None
    # Of other splits the index is a place in the split and not in the official file.
    found = pictures.at("test", [item["index"]]) if known and item["split"] == "test" else None
    place = f"{item['split']} {item['index']}" if known else str(item.get("source", "a picture"))
    panes = [heat_colours(heat)]
    # Another data set than the one explained would put the heat on another picture.
    if found is not None and true in (None, CLASS_NAMES[found.labels[0]]):
        pixels = found.pixels[0]
        panes = [np.repeat(pixels[..., None], 3, axis=2), panes[0], overlay(pixels, heat)]
    gap = np.zeros((len(heat), 1, 3), np.uint8)
    strip = np.concatenate([part for pane in panes for part in (pane, gap)][:-1], axis=1)
    told = "" if true is None else f"<br>labelled {text(true)}"
    labelled = "" if true is None else f", labelled {true}"
    alt = f"{place}{labelled}: heat map of {item['method']} for {target}"
    verdict = f"<b>{text(predicted)}</b> {percent(item['confidence'], 1)}"
    aimed = "" if target == predicted else f"<br>map for {text(target)}"
    return (
        f"<li{' class=miss' if true not in (None, predicted) else ''}>"
        f"{image_html(strip, alt, 'strip')}<span>{verdict}{told}{aimed}"
        f'<br><span class="soft">{text(place)}</span></span></li>\n'
    )
