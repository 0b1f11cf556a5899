"""The kinds of files that a report is made from, and how each is told by what it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def _models(document: Mapping[str, Any], *keys: str) -> bool:
    """Whether the document measures models, and each measurement has these keys."""
    models = document.get("models")
    return (
        isinstance(models, dict)
        and bool(models)
        and all(
            isinstance(one, dict) and all(key in one for key in keys) for one in models.values()
        )
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        title: for people.
        command: that makes one.
        recognise: whether a document is one.
        usual: its usual file name, which wins where there are several.
    """

    title: str
    command: str
    recognise: Callable[[Mapping[str, Any]], bool]
    usual: str


KINDS: Mapping[str, Kind] = {
    "data": Kind(
        "description of the data",
        "fmnist data describe -o data.json",
        lambda document: "embedding" in document and "mean_images" in document,
        "data.json",
    ),
    "evaluation": Kind(
        "evaluation",
        "fmnist evaluate -o evaluate-test.json",
        lambda document: _models(document, "confusion", "per_class"),
        "evaluate-test.json",
    ),
    "bench": Kind(
        "benchmark",
        "fmnist bench -o bench.json",
        lambda document: _models(document, "timing"),
        "bench.json",
    ),
    "robustness": Kind(
        "measurement of the robustness",
        "python benchmarks/robustness.py",
        lambda document: _models(document, "mean_corruption_accuracy", "by_kind"),
        "robustness.json",
    ),
    "runs": Kind(
        "table of training runs",
        "python benchmarks/accuracy.py runs",
        lambda document: "runs" in document and "test_images" in document,
        "accuracy.json",
    ),
    "explanations": Kind(
        "set of explanations",
        "fmnist explain --maps explain.json",
        lambda document: (
            isinstance(document.get("items"), list)
            and all(isinstance(one, dict) and "heat" in one for one in document["items"])
        ),
        "explain.json",
    ),
    "audit": Kind(
        "audit of the labels",
        "fmnist data audit",
        lambda document: "estimated_noise" in document,
        "audit.json",
    ),
}
