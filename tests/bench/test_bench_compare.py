"""What changed between two measurements, and rules on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench_documents import document, result

from fmnist_cli.bench.compare import (
    METRICS,
    check_comparable,
    compare,
    only_in,
    parse_rule,
    read,
    violations,
)
from fmnist_cli.errors import DataError, UsageError


def test_what_is_within_the_intervals_is_the_same() -> None:
    cells = compare(document({"a": result(1.0)}), document({"a": result(1.09)}))
    assert {cell.verdict for cell in cells} == {"same"}
    timed = [cell.metric for cell in cells if cell.timed]
    assert "latency p50, ms" in timed
    assert "images/s, batch 16, threads 1" in timed
    assert "accuracy" in {cell.metric for cell in cells if not cell.timed}
    assert len(cells) == len({cell.metric for cell in cells}) == 15


def test_a_larger_latency_is_worse_and_a_larger_throughput_better() -> None:
    cells = compare(document({"a": result(1.0)}), document({"a": result(0.5)}))
    verdicts = {cell.metric: cell.verdict for cell in cells}
    assert verdicts["latency p99, ms"] == "better"
    assert verdicts["images/s, batch 1, threads 2"] == "better"
    assert verdicts["load, s"] == verdicts["accuracy"] == "same"
    back = compare(document({"a": result(0.5)}), document({"a": result(1.0)}))
    assert {cell.verdict for cell in back if verdicts[cell.metric] == "better"} == {"worse"}


def test_figures_without_an_interval_differ_when_they_are_not_equal() -> None:
    quality = {**result()["quality"], "accuracy": 0.9501, "calibration_error": 0.0124}
    cells = compare(document({"a": result()}), document({"a": result(quality=quality)}))
    changed = {cell.metric: cell.verdict for cell in cells if cell.verdict != "same"}
    assert changed == {"accuracy": "better", "ECE": "worse"}


def test_only_what_both_have_is_compared_and_the_rest_is_named() -> None:
    old = document({"a": result(), "b": result()})
    new = document({"c": result(), "b": result(quality=None)})
    cells = compare(old, new)
    assert {cell.model for cell in cells} == {"b"}
    assert "accuracy" not in {cell.metric for cell in cells}
    assert only_in(old, new) == ["a"]
    assert only_in(new, old) == ["c"]


def test_other_conditions_are_refused() -> None:
    old, new = document({"a": result()}), document({"a": None}, threads=1, pixels="random")
    new["machine"] = {**old["machine"], "processor": "Another CPU"}
    with pytest.raises(UsageError) as caught:
        check_comparable(old, new, Path("old.json"))
    message = str(caught.value)
    assert "processor 'Some CPU' then, 'Another CPU' now" in message
    assert "threads 2 then, 1 now" in message
    assert "pixels test then, random now" in message
    with pytest.raises(UsageError, match="none of these models: b; it has a"):
        check_comparable(old, document({"b": None}), Path("old.json"))
    check_comparable(old, document({"a": None, "b": None}), Path("old.json"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no result of fmnist bench"),
        ("[]", "is no result of fmnist bench"),
        ('{"format": 1}', "has format 1, this version compares format 2"),
        ('{"format": 2, "models": {"a": {}}}', "is no result of fmnist bench"),
    ],
)
def test_a_file_that_is_no_measurement_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "old.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read(path)


def test_a_measurement_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document({"a": result()})), encoding="utf-8")
    assert read(path) == document({"a": result()})
    with pytest.raises(DataError, match=r"cannot read .*none\.json"):
        read(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy < 94%", ["b: accuracy < 94%: is 0.9"]),
        ("accuracy<.9", []),
        ("accuracy <= 0.9", ["b: accuracy <= 0.9: is 0.9"]),
        ("latency_p95 > 3", ["b: latency_p95 > 3: is 4 ms"]),
        ("load >= 20", ["a: load >= 20: is 20 ms", "b: load >= 20: is 20 ms"]),
        ("size > 2.1", []),
        ("latency_p50 > 1.2x", ["b: latency_p50 > 1.2x: is 2 ms, was 1 ms"]),
        ("latency_p50 > 2x", []),
        ("images_per_s < 0.9x", ["b: images_per_s < 0.9x: is 1500/s, was 3000/s"]),
        ("peak_memory > 1.0x", []),
    ],
)
def test_rules(text: str, expected: list[str]) -> None:
    worse = result(2.0, quality={**result()["quality"], "accuracy": 0.9})
    models = {"a": result(), "b": worse}
    old = {"a": result(), "b": result()}
    assert list(violations([parse_rule(text)], models, old)) == expected


def test_what_was_not_measured_does_not_pass_and_a_new_model_is_no_multiple() -> None:
    rules = [parse_rule("accuracy < 90%"), parse_rule("accuracy < 1x"), parse_rule("load > 2x")]
    models = {"a": result(quality=None), "new": result()}
    found = list(violations(rules, models, {"a": result()}))
    assert found == ["a: accuracy < 90%: was not measured", "a: accuracy < 1x: was not measured"]
    before = list(violations(rules[1:2], {"a": result()}, {"a": result(quality=None)}))
    assert before == ["a: accuracy < 1x: was not measured in the earlier file"]


def test_every_metric_is_found_in_a_result() -> None:
    found = {name: metric.of(result()) for name, metric in METRICS.items()}
    assert found["size"] == pytest.approx(2)
    assert found["load"] == pytest.approx(20)
    assert found["peak_memory"] == pytest.approx(90)
    assert None not in found.values()


@pytest.mark.parametrize(
    "text", ["", "latency > 1", "accuracy", "accuracy = 1", "accuracy < x", "load > -1", "1 < size"]
)
def test_a_wrong_rule_is_answered_with_the_metrics(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rule(text)
    assert "Metrics: accuracy, macro_f1, shirt_f1, calibration_error" in str(caught.value)


def test_a_time_has_no_per_cent() -> None:
    with pytest.raises(UsageError, match="latency_p50 is no share; give a number in ms"):
        parse_rule("latency_p50 > 5%")


def test_a_rule_on_accuracy_passes_over_models_that_have_none() -> None:
    rules = [parse_rule("accuracy < 94%"), parse_rule("latency_p50 > 1")]
    photo = result(2.0, quality=None, of_data_set=False)
    lines = list(violations(rules, {"a": result(), "photo": photo}, {}))
    assert lines == ["photo: latency_p50 > 1: is 2 ms"]
    (alone, *_) = violations(rules, {"photo": photo}, {})
    assert alone == "photo: accuracy < 94%: was not measured"
    unknown = result(quality=None)
    assert "was not measured" in next(violations(rules, {"a": unknown, "photo": photo}, {}))
