"""The page and the CSV: they hold what the JSON holds."""

from __future__ import annotations

import csv
import io
import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest
from bench_documents import around, document, result
from htmlpage import Page

from fmnist_cli.bench.compare import csv_text
from fmnist_cli.bench.tables import interval, page, rounded, shortened


def shown(models: dict[str, Any]) -> str:
    return "".join(page(document(models)))


def test_the_tables_hold_every_model_and_the_values_of_the_json() -> None:
    found = Page(shown({"a": result(1.0), "b": result(2.0, quality=None)}))
    quality, speed, throughput = found.tables.values()
    assert quality[0][:4] == ["model", "accuracy", "macro F1", "Shirt F1"]
    assert quality[1][:5] == ["a", "95.00%", "0.9400", "0.8100", "0.0123"]
    assert quality[2][:5] == ["b", "–", "–", "–", "–"]
    values = found.values["table-0"]
    assert (values[1][1], values[2][1]) == ("0.95", "")
    assert "±" not in speed[0]
    assert speed[2][speed[0].index("p50 ms")] == "2.00 1.90–2.10"
    assert speed[1][speed[0].index("load ms")] == "20.0 19.0–21.0"
    assert len(throughput[0]) == 1 + 2 * 2
    assert throughput[1][1] == "1,000 950–1,050"
    assert all(len(row) == len(table[0]) for table in found.tables.values() for row in table)


def test_pictures_of_the_user_get_a_table_of_their_own() -> None:
    end_to_end = {"images": 1300, "rejected": 2, "images_per_s": around(250.0)}
    found = Page(shown({"a": result(end_to_end=end_to_end)}))
    assert list(found.tables.values())[-1][1] == ["a", "1,300", "2", "250 238–262"]


def test_the_page_loads_nothing_and_runs_only_its_own_script() -> None:
    text = shown({"a": result()})
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    for tag in ("style", "script"):
        content = re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert content is not None
        digest = b64encode(sha256(content[1].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert not re.search(r"https?://|<link|<img|style=", text)


def test_names_are_no_markup() -> None:
    text = shown({"<b>x</b>": result(title='"><script>')})
    assert "<b>" not in text
    assert text.count("<script>") == 1


def test_rows_hold_figures_and_the_ends_of_their_intervals() -> None:
    models = {"a": result(1.0), "b": result(2.0, quality=None)}
    rows = list(csv.DictReader(io.StringIO(csv_text(document(models)))))
    assert [row["model"] for row in rows] == ["a", "b"]
    assert rows[0]["sha256"] == "0" * 64
    assert float(rows[0]["accuracy"]) == 0.95
    assert "accuracy_low" not in rows[0]
    assert float(rows[1]["latency_p50_ms"]) == 2
    assert float(rows[1]["latency_p50_ms_high"]) == 2.1
    assert float(rows[0]["images_per_s_batch_16_threads_2_low"]) == 2850
    assert rows[1]["accuracy"] == rows[1]["ece"] == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0123, "0.012"), (0.5, "0.500"), (1.234, "1.23"), (12.34, "12.3"), (1234.0, "1,234")],
)
def test_figures_have_about_three_digits(value: float, expected: str) -> None:
    assert rounded(value) == expected


def test_counts_and_intervals_are_short() -> None:
    counts = (785, 7850, 1_350_244, 2_400_000_000)
    assert [shortened(count) for count in counts] == ["785", "7.85k", "1.35M", "2.40G"]
    assert interval(around(2.0)) == "1.90–2.10"
