"""Figures of a measurement: against an earlier one, against rules, and as CSV.

A rule (``--fail-if``) is METRIC OPERATOR NUMBER, the number with ``x`` for a multiple of the
earlier measurement's value, with ``%`` for hundredths, else in the metric's own unit.
"""

from __future__ import annotations

import csv
import io
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fmnist_cli.bench.rounds import Estimate
from fmnist_cli.bench.tables import at
from fmnist_cli.errors import DataError, UsageError
from fmnist_cli.files import read_json

FORMAT = 2

Verdict = Literal["better", "worse", "same"]
# What a larger value means; of the rest, smaller is better.
_MORE_IS_BETTER = ("accuracy", "macro F1", "Shirt F1", "images/s")


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one model, before and after.

    Attributes:
        timed: whether it was measured with an interval; others are what they are.
    """

    model: str
    metric: str
    old: Estimate
    new: Estimate
    timed: bool

    @property
    def verdict(self) -> Verdict:
        """What became of it; where intervals overlap it is the same."""
        if self.old.overlaps(self.new):
            return "same"
        grew = self.new.median > self.old.median
        return "better" if grew == self.metric.startswith(_MORE_IS_BETTER) else "worse"


def read(path: Path) -> dict[str, Any]:
    """The document that ``fmnist bench -o`` wrote.

    Raises:
        DataError: it cannot be read, is something else, or was written by another version.
    """
    try:
        document: dict[str, Any] = read_json(path)
        if document["format"] != FORMAT:
            raise DataError(
                f"{path} has format {document['format']}, this version compares format {FORMAT};"
                " measure again with: fmnist bench -o"
            )
        for name in document["models"]:
            dict(figures(document, name))
        [document[key] for key in ("machine", "threads", "pixels", "date")]
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is no result of fmnist bench ({type(error).__name__}: {error})"
        ) from error
    return document


def check_comparable(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> None:
    """Whether figures of both mean the same.

    Args:
        new: at least the head of the later one: machine, threads, pixels and model names.

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


def csv_text(document: Mapping[str, Any]) -> str:
    """The document's figures; those with an interval have its ends in two columns more.

    What was not measured is an empty field.
    """
    rows = [_row(document, name) for name in document["models"]]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    result = document["models"][name]
    row: dict[str, Any] = {"model": name}
    row |= {key: result[key] for key in ("title", "sha256", "parameters")}
    for metric, (found, timed) in figures(document, name):
        # ``images/s, batch 1, threads 2`` → ``images_per_s_batch_1_threads_2``
        column = re.sub(r"\W+", "_", metric.replace("/s", " per s").lower())
        row[column] = found.median
        if timed:
            row |= {f"{column}_low": found.low, f"{column}_high": found.high}
    return row


OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Metric(NamedTuple):
    """A figure that rules may be about.

    Attributes:
        of: its value in a model's result, in the unit of rules; None where it was not measured.
        unit: of rules, for people; empty for shares from 0 to 1, which say how good a model is.
    """

    of: Callable[[Mapping[str, Any]], Any]
    unit: str = ""


METRICS = {
    "accuracy": Metric(at("quality", "accuracy")),
    "macro_f1": Metric(at("quality", "macro_f1")),
    "shirt_f1": Metric(at("quality", "shirt_f1")),
    "calibration_error": Metric(at("quality", "calibration_error")),
    "latency_p50": Metric(at("timing", "latency", "p50_ms"), " ms"),
    "latency_p95": Metric(at("timing", "latency", "p95_ms"), " ms"),
    "latency_p99": Metric(at("timing", "latency", "p99_ms"), " ms"),
    "images_per_s": Metric(at("timing", "images_per_s"), "/s"),
    "load": Metric(at("timing", "load_s", scale=1e3), " ms"),
    "size": Metric(at("file_bytes", scale=1e-6), " MB"),
    "peak_memory": Metric(at("peak_memory_bytes", scale=1e-6), " MB"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that must not hold.

    Attributes:
        text: as it was given.
        metric: name in `METRICS`.
        comparison: one of `OPERATORS`.
        bound: in the metric's unit, or a factor.
        relative: whether the bound is a multiple of the earlier value.
    """

    text: str
    metric: str
    comparison: str
    bound: float
    relative: bool


def parse_rule(text: str) -> Rule:
    """A rule as it stands on the command line.

    Raises:
        UsageError: it is none; says what rules look like.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\d+\.?\d*|\.\d+)\s*([x%]?)\s*", text)
    if not match or match[1] not in METRICS:
        raise UsageError(
            f"--fail-if {text!r} is no rule; give METRIC < > <= or >= NUMBER, the number with x for"
            " a multiple of the value in --compare or % for hundredths, such as"
            f" 'latency_p50 > 1.2x' or 'accuracy < 94%'. Metrics: {', '.join(METRICS)}"
        )
    if match[4] == "%" and METRICS[match[1]].unit:
        unit = METRICS[match[1]].unit.strip()
        raise UsageError(
            f"--fail-if {text!r}: {match[1]} is no share; give a number in {unit},"
            " or with x a multiple of the value in --compare"
        )
    bound = float(match[3]) / (100 if match[4] == "%" else 1)
    if not match[4] and not METRICS[match[1]].unit and bound > 1:
        raise UsageError(
            f"--fail-if {text!r}: {match[1]} goes from 0 to 1; did you mean {bound:g}%?"
        )
    return Rule(text.strip(), match[1], match[2], bound, match[4] == "x")


def violations(
    rules: Sequence[Rule],
    models: Mapping[str, Mapping[str, Any]],
    old: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """One line for every model and rule that holds, and for what cannot be judged.

    A figure that was not measured counts as a violation: a check that sees nothing must not
    pass. A model that is not among the old ones has nothing to be a multiple of and passes; so
    does one that is not of the data set by a rule on accuracy, if the rule judges any other.

    Args:
        models: results by name, as in the document.
        old: those of the earlier document; empty without one.
    """
    for rule in rules:
        judged = models
        if not METRICS[rule.metric].unit:
            judged = {n: one for n, one in models.items() if one.get("of_data_set", True)} or models
        for name, result in judged.items():
            if rule.relative and name not in old:
                continue
            line = _judge(rule, result, old.get(name))
            if line:
                yield f"{name}: {rule.text}: {line}"


def _judge(rule: Rule, result: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """What is wrong; empty if nothing is."""
    metric = METRICS[rule.metric]
    value = metric.of(result)
    if value is None:
        return "was not measured"
    bound, why = rule.bound, ""
    if rule.relative and before is not None:
        earlier = metric.of(before)
        if earlier is None:
            return "was not measured in the earlier file"
        bound *= earlier
        why = f", was {earlier:.4g}{metric.unit}"
    if not OPERATORS[rule.comparison](value, bound):
        return ""
    return f"is {value:.4g}{metric.unit}{why}"
