"""A measurement as CSV: a row per model."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from fmnist_cli.bench.compare import figures


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
        column = _column(metric)
        row[column] = found.median
        if timed:
            row |= {f"{column}_low": found.low, f"{column}_high": found.high}
    if result["native"]:
        row["parity"] = result["native"]["parity"]
    return row


def _column(metric: str) -> str:
    """``images/s, batch 1, threads 2`` → ``images_per_s_batch_1_threads_2``."""
    return re.sub(r"\W+", "_", metric.replace("/s", " per s").lower())
