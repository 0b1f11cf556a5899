"""What the scripts make of measurements by `fmnist bench`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bench_agreement
import pytest
import readme_tables
from bench_agreement import agreement
from bench_documents import around, document, result


def test_agreement_of_two_runs_is_a_share_of_timed_cells() -> None:
    quality = {**result()["quality"], "accuracy": 0.1}
    two = result(quality=quality, peak_memory_interval=around(200e6))
    found = agreement(document({"a": result()}), document({"a": two}))
    assert found["timed_cells"] == 11
    assert found["agreeing"] == 10
    assert found["share"] == pytest.approx(10 / 11)
    assert (found["exact_cells"], found["exact_equal"]) == (6, 5)
    assert [cell["metric"] for cell in found["apart"]] == ["peak memory, bytes"]
    assert found["median_margin"] == pytest.approx(0.05)


def test_the_script_says_the_share_and_fails_below_nine_in_ten(tmp_path: Path) -> None:
    one, two, far = (tmp_path / f"{name}.json" for name in ("one", "two", "far"))
    one.write_text(json.dumps(document({"a": result()})))
    two.write_text(json.dumps(document({"a": result(1.05)})))
    far.write_text(json.dumps(document({"a": result(2)})))

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, bench_agreement.__file__, *map(str, words)]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    done = run(one, two, "--json", tmp_path / "agreement.json")
    assert done.returncode == 0, done.stderr
    assert "11 of 11 timed cells (100.0%) agree within their intervals, ±5%" in done.stdout
    written = json.loads((tmp_path / "agreement.json").read_text())
    assert (written["share"], written["models"]) == (1, ["a"])
    assert str(tmp_path) not in (tmp_path / "agreement.json").read_text()
    done = run(one, far)
    assert done.returncode == 1
    assert "4 of 11 timed cells" in done.stdout
    assert "apart: latency p50, ms: 1" in done.stdout
    one.write_text("{}")
    assert "is no result of fmnist bench" in run(one, two).stderr


@pytest.mark.parametrize(("format_", "columns"), [(1, 6), (2, 8)])
def test_the_readme_shows_what_a_measurement_holds(
    format_: int, columns: int, tmp_path: Path
) -> None:
    (tmp_path / "bench.json").write_text(json.dumps(document({"a": result()}, format=format_)))
    head, _, row = readme_tables.cost_table(tmp_path).splitlines()
    assert head.count("|") == row.count("|") == columns + 1
    assert "2.00 MB | 12,345 |" in row
    assert ("3.40 M | 90 MB" in row) == (format_ == 2)
