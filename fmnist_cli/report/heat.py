"""Where the networks looked, and how far the heat maps can be trusted."""

from __future__ import annotations

import math
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.html.contact_sheet import Card, heat_colors, in_color, pixels_of, under_heat
from fmnist_cli.report.inputs import NO_PICTURES, Inputs, Made, Pictures
from fmnist_cli.report.parts import made, percent, table, words

if TYPE_CHECKING:
    from markupsafe import Markup

_MOST = 80  # maps that are shown
# Metric of the file → column title.
_METRICS: Mapping[str, str] = {
    "insertion_blurred": "insertion AUC ↑",
    "deletion_blurred": "deletion AUC ↓",
    "drop": "average drop ↓",
    "increase": "increase ↑",
    "energy_inside": "energy inside ↑",
}


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
            made("heading", text=inputs.title(model)),
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


def faithfulness(inputs: Inputs) -> Made:
    """A table per model, methods against controls, and the check with scrambled weights."""
    document = inputs.sources["faithfulness"].document
    parts = [
        words(
            f"Means over {document['images']:,} test images with 95 % bootstrap intervals. Pixels"
            " are put in, or taken out, in the order of the map; the area under the target's"
            " probability should be large, or small. Controls know nothing of the model; a map"
            " that beats them all says something of it."
        )
    ]
    for model, result in document["models"].items():
        title = inputs.title(model)
        parts += [
            made("heading", text=f"{title}, layer {result['layer']}"),
            _measured(title, result),
            words(_sanity(result["sanity"])),
        ]
    return parts, inputs.stale("faithfulness")


def _measured(title: str, result: Mapping[str, Any]) -> Markup:
    beats = result.get("beats_controls", {})
    metrics = [one for one in _METRICS if one in next(iter(result["methods"].values()))]
    rows = [
        [
            one,
            *(_interval(found[metric]) for metric in metrics),
            ", ".join(beats[one]) or "none" if one in beats else "control",
        ]
        for one, found in {**result["methods"], **result["controls"]}.items()
    ]
    header = ["map", *(_METRICS[metric] for metric in metrics), "beats"]
    return table(f"{title}: faithfulness", header, rows, (0, len(header) - 1))


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{estimate['mean']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _sanity(sanity: Mapping[str, Any]) -> str:
    whole, unrelated = sanity["scrambled"], sanity["unrelated"]
    passed = "passed" if sanity["passed"] else "not passed"
    return (
        f"Weights scrambled (Adebayo et al. 2018, {sanity['images']:,} images): {passed}. With all"
        f" weights scrambled, maps correlate with the real ones by {whole['spearman']:.3f} (rank"
        f" correlation); maps of different pictures do so by {unrelated['spearman']:.3f}."
    )
