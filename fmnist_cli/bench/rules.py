"""``--fail-if``: conditions under which a measurement counts as failed.

A rule is METRIC OPERATOR NUMBER, the number with ``x`` for a multiple of the earlier
measurement's value, with ``%`` for hundredths, else in the metric's own unit.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fmnist_cli.errors import UsageError

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Metric:
    """Where a figure stands in a model's result.

    Attributes:
        keys: the way to it.
        scale: from the document's unit to that of rules.
        unit: of rules, for people; empty for shares from 0 to 1.
    """

    keys: tuple[str, ...]
    scale: float = 1.0
    unit: str = ""

    def of(self, result: Mapping[str, Any]) -> float | None:
        """Its value in the unit of rules; None where it was not measured."""
        value: Any = result
        for key in self.keys:
            if value is None:
                return None
            value = value[key]
        return None if value is None else value * self.scale


_QUALITY = "quality"
METRICS = {
    "accuracy": Metric((_QUALITY, "accuracy")),
    "macro_f1": Metric((_QUALITY, "macro_f1")),
    "shirt_f1": Metric((_QUALITY, "shirt_f1")),
    "calibration_error": Metric((_QUALITY, "calibration_error")),
    "latency_p50": Metric(("timing", "latency", "p50_ms"), 1, " ms"),
    "latency_p95": Metric(("timing", "latency", "p95_ms"), 1, " ms"),
    "latency_p99": Metric(("timing", "latency", "p99_ms"), 1, " ms"),
    "images_per_s": Metric(("timing", "images_per_s"), 1, "/s"),
    "load": Metric(("timing", "load_s"), 1e3, " ms"),
    "size": Metric(("file_bytes",), 1e-6, " MB"),
    "peak_memory": Metric(("peak_memory_bytes",), 1e-6, " MB"),
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
        rules: the conditions.
        models: results by name, as in the document.
        old: those of the earlier document; empty without one.
    """
    for rule in rules:
        judged = models
        if METRICS[rule.metric].keys[0] == _QUALITY:
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
