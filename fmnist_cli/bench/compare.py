"""Two measurements side by side: which cells moved beyond their intervals."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fmnist_cli.bench.intervals import Estimate
from fmnist_cli.errors import DataError, UsageError

FORMAT = 2

Verdict = Literal["better", "worse", "same"]
# What a larger value means; of the rest, smaller is better.
_MORE_IS_BETTER = ("accuracy", "macro F1", "Shirt F1", "images/s", "speed-up")


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one model, before and after.

    Attributes:
        model: its name.
        metric: what was measured, with its unit.
        old: before.
        new: after.
        timed: whether it was measured with an interval; others are what they are.
    """

    model: str
    metric: str
    old: Estimate
    new: Estimate
    timed: bool

    @property
    def agrees(self) -> bool:
        """Whether the two intervals overlap; of figures without, whether they are equal."""
        return self.old.overlaps(self.new)

    @property
    def verdict(self) -> Verdict:
        """What became of it; within the intervals it is the same."""
        if self.agrees:
            return "same"
        grew = self.new.median > self.old.median
        return "better" if grew == self.metric.startswith(_MORE_IS_BETTER) else "worse"


def read(path: Path) -> dict[str, Any]:
    """The document that ``fmnist bench --json`` wrote.

    Raises:
        DataError: it cannot be read, is something else, or was written by another version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise DataError(
                f"{path} has format {document['format']}, this version compares format {FORMAT};"
                " measure again with: fmnist bench --json"
            )
        for name in document["models"]:
            dict(figures(document, name))
        [document[key] for key in ("machine", "threads", "pixels", "date")]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is no result of fmnist bench --json ({type(error).__name__}: {error})"
        ) from error
    found: dict[str, Any] = document
    return found


def check_comparable(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> None:
    """Whether figures of both mean the same.

    Args:
        old: the earlier document.
        new: at least the head of the later one: machine, threads, pixels and model names.
        path: of the earlier one.

    Raises:
        UsageError: they come from other machines or settings, or have no model in common.
    """
    differences = [
        f"{name} {old['machine'].get(name)!r} then, {value!r} now"
        for name, value in new["machine"].items()
        if old["machine"].get(name) != value
    ]
    differences += [
        f"{name} {old[name]} then, {new[name]} now"
        for name in ("threads", "pixels")
        if old[name] != new[name]
    ]
    if differences:
        raise UsageError(
            f"{path} was measured under other conditions ({'; '.join(differences)}), so its"
            " times cannot be compared; measure both on one machine with the same options"
        )
    if not set(old["models"]) & set(new["models"]):
        raise UsageError(
            f"{path} has none of these models: {', '.join(new['models'])};"
            f" it has {', '.join(old['models'])}"
        )


def figures(document: Mapping[str, Any], name: str) -> Iterator[tuple[str, tuple[Estimate, bool]]]:
    """Every figure of a model by its metric, and whether it comes with an interval."""
    result = document["models"][name]

    def exact(value: float) -> tuple[Estimate, bool]:
        return Estimate(value, value, value), False

    def timed(values: Mapping[str, float]) -> tuple[Estimate, bool]:
        return Estimate(**values), True

    if quality := result["quality"]:
        yield "accuracy", exact(quality["accuracy"])
        yield "macro F1", exact(quality["macro_f1"])
        yield "Shirt F1", exact(quality["shirt_f1"])
        yield "ECE", exact(quality["calibration_error"])
    yield "size, bytes", exact(result["file_bytes"])
    yield "MACs", exact(result["macs"])
    if peak := result["peak_memory_interval"]:
        yield "peak memory, bytes", timed(peak)
    intervals = result["timing"]["intervals"]
    yield "load, s", timed(intervals["load_s"])
    for percentile in ("p50", "p95", "p99"):
        yield f"latency {percentile}, ms", timed(intervals[f"{percentile}_ms"])
    for threads, by_size in intervals["images_per_s"].items():
        for size, values in by_size.items():
            yield f"images/s, batch {size}, threads {threads}", timed(values)
    if native := result["native"]:
        for size, values in native["speed_up"].items():
            yield f"speed-up over native, batch {size}", timed(values)
    if end_to_end := result["end_to_end"]:
        yield "images/s, classify", timed(end_to_end["images_per_s"])


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cell]:
    """All figures that both have, models and metrics in the new one's order."""
    cells = []
    for name in new["models"]:
        before = dict(figures(old, name)) if name in old["models"] else {}
        cells += [
            Cell(name, metric, before[metric][0], after, timed)
            for metric, (after, timed) in figures(new, name)
            if metric in before
        ]
    return cells


def only_in(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Models of one document that the other does not have."""
    return [name for name in one["models"] if name not in other["models"]]
