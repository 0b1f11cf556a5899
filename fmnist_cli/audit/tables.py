"""What an audit found, as CSV tables and as counts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from typing import Any

from fmnist_cli.audit.findings import Findings, Group, Issue
from fmnist_cli.audit.source import AuditData
from fmnist_cli.data.fashion_mnist import CLASS_NAMES


def issues_csv(issues: list[Issue]) -> str:
    """A row per likely wrong label, the worst first."""
    header = (
        *("rank", "split", "index", "label", "suggested"),
        *("self_confidence", "suggested_probability", "margin"),
    )
    return _csv(
        header,
        (
            (
                rank,
                issue.split,
                issue.index,
                CLASS_NAMES[issue.label],
                CLASS_NAMES[issue.suggested],
                f"{issue.self_confidence:.6f}",
                f"{issue.suggested_probability:.6f}",
                f"{issue.margin:.6f}",
            )
            for rank, issue in enumerate(issues, start=1)
        ),
    )


def duplicates_csv(found: list[Group]) -> str:
    """A row per image of a group, groups numbered from 1."""
    header = (
        *("group", "split", "index", "label", "kind", "correlation"),
        *("conflicting", "across_splits", "keep"),
    )
    return _csv(
        header,
        (
            (
                number,
                copy.split,
                copy.index,
                CLASS_NAMES[copy.label],
                copy.kind,
                f"{copy.correlation:.6f}",
                *(
                    str(flag).lower()
                    for flag in (group.conflicting, group.across_splits, copy.keep)
                ),
            )
            for number, group in enumerate(found, start=1)
            for copy in group.copies
        ),
    )


def summary(findings: Findings, data: AuditData) -> dict[str, Any]:
    """Counts and estimates as JSON values, classes by name."""
    issues, found = findings.issues, findings.groups
    pairs = Counter((issue.label, issue.suggested) for issue in issues)
    noise = {"train": findings.train.noise(), "test": findings.test.noise()}
    return {
        "images": {"train": len(data.train), "test": len(data.test)},
        "accuracy": {
            "train_out_of_fold": findings.train_accuracy,
            "test_mean_of_folds": findings.test_accuracy,
        },
        "issues": {
            "total": len(issues),
            "by_split": dict(Counter(issue.split for issue in issues)),
            "by_label_and_suggestion": [
                {
                    "label": CLASS_NAMES[label],
                    "suggested": CLASS_NAMES[suggested],
                    "images": count,
                }
                for (label, suggested), count in pairs.most_common()
            ],
        },
        "estimated_noise": {
            file: dict(zip(CLASS_NAMES, (round(float(v), 5) for v in values), strict=True))
            for file, values in noise.items()
        },
        "duplicates": {
            "groups": len(found),
            "images": sum(len(group.copies) for group in found),
            "exact_images": sum(copy.kind == "exact" for g in found for copy in g.copies),
            "conflicting_groups": sum(group.conflicting for group in found),
            "groups_across_splits": dict(
                Counter(
                    "+".join(sorted({copy.split for copy in group.copies}))
                    for group in found
                    if group.across_splits
                )
            ),
            "test_images_also_in_train": sum(
                copy.split == "test"
                for group in found
                if any(copy.split == "train" for copy in group.copies)
                for copy in group.copies
            ),
            "largest_group": max((len(group.copies) for group in found), default=0),
        },
    }


def _csv(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
