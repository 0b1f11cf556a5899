"""How far the heat maps can be trusted: methods against controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import Section, paragraph, table, text
from fmnist_cli.report.pictures import Pictures
from fmnist_cli.report.sections import absent

# Metric of the file → column title.
_METRICS: Mapping[str, str] = {
    "insertion_blurred": "insertion AUC ↑",
    "deletion_blurred": "deletion AUC ↓",
    "drop": "average drop ↓",
    "increase": "increase ↑",
    "energy_inside": "energy inside ↑",
}


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """A table per model, and the check with scrambled weights."""
    del pictures
    name, title = "faithfulness", "Whether the heat maps can be trusted"
    if "faithfulness" not in inputs.sources:
        return absent(name, title, "faithfulness")
    document = inputs.sources["faithfulness"].document
    words = (
        f"Means over {document['images']:,} test images with 95 % bootstrap intervals. Pixels are"
        " put in, or taken out, in the order of the map; the area under the target's probability"
        " should be large, or small. Controls know nothing of the model; a map that beats them all"
        " says something of it."
    )
    body = [paragraph(words)]
    for model, result in document["models"].items():
        body.append(f"<h3>{text(inputs.title(model))}, layer {text(str(result['layer']))}</h3>\n")
        body.append(_measured(inputs.title(model), result))
        body.append(paragraph(_sanity(result["sanity"])))
    return Section(name, title, "".join(body), inputs.stale("faithfulness"))


def _measured(title: str, result: Mapping[str, Any]) -> str:
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
    return table(header, rows, words=(0, len(header) - 1), name=f"{title}: faithfulness")


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
