"""From judgements to the folder of results: tables, counts and the page."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fmnist_cli import __version__
from fmnist_cli.audit.duplicates import THRESHOLD, find_pairs
from fmnist_cli.audit.findings import Findings, Group, Issue, examine
from fmnist_cli.audit.labels import AuditData, Judgements
from fmnist_cli.audit.page import page
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.files import write_text
from fmnist_cli.machine import Machine
from fmnist_cli.models.registry import ModelSpec


@dataclass(frozen=True, slots=True)
class Settings:
    """Who judged the labels.

    Attributes:
        judge: for people.
        options: of the command, as JSON values.
        command: that makes the same again.
    """

    judge: str
    options: Mapping[str, Any]
    command: str

    @classmethod
    def of(
        cls, spec: ModelSpec, preset: str, folds: int, seed: int, *, given: Path | None
    ) -> Settings:
        """Those of an audit by `spec`, or by the probabilities that were `given`."""
        if given is not None:
            # The name without its folder: where a file lies says nothing of what it holds.
            words = ["--probabilities", given.name]
            return cls(f"Judged by {given.name}", {"probabilities": given.name}, _command(words))
        options = {"model": spec.name, "preset": preset, "folds": folds, "seed": seed}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        judge = f"Judged by: {spec.name}, {preset} preset, {folds} folds"
        return cls(judge, options, _command(words))


def write(
    out: Path,
    data: AuditData,
    judgements: Judgements,
    settings: Settings,
    *,
    top: int,
    say: Callable[[str], None],
) -> Findings:
    """Look for duplicates, put the findings together and write the folder.

    Args:
        out: the folder; made when missing, files of an earlier audit are replaced.
        data: what is audited.
        judgements: of its labels.
        settings: who made them.
        top: how many issues and groups the page shows.
        say: told what is being done.
    """
    judgements.save(out / "probabilities.npz")
    say("looking for duplicates")
    pairs = find_pairs(data.pixels, progress=lambda done, of: say(f"  view {done} of {of}"))
    findings = examine(data, judgements, pairs)
    write_text(out / "audit.csv", issues_csv(findings.issues))
    write_text(out / "duplicates.csv", duplicates_csv(findings.groups))
    judge = (
        f"{settings.judge}; {findings.train_accuracy:.2%} of labels agree on training images,"
        f" {findings.test_accuracy:.2%} on test images"
    )
    write_text(out / "audit.html", "".join(page(findings, data, judge, top)))
    document = {
        "command": settings.command,
        "settings": settings.options,
        "data_checksum": data.checksum,
        "duplicate_threshold": THRESHOLD,
        **summary(findings, data),
        "machine": Machine.current()._asdict(),
        "versions": {
            "fmnist-cli": __version__,
            **{name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch")},
        },
    }
    write_text(out / "audit.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return findings


def _command(words: list[str]) -> str:
    return shlex.join(["fmnist", "data", "audit", *words])


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
