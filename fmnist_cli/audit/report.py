"""From judgements to the folder of results: tables, counts and the page."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from fmnist_cli import __version__
from fmnist_cli.audit.duplicates import THRESHOLD, find_pairs
from fmnist_cli.audit.findings import Findings, Group, Issue, Place, examine
from fmnist_cli.audit.labels import AuditData, Judgements
from fmnist_cli.contract import Pixels
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.files import write_text
from fmnist_cli.html.contact_sheet import Card, Shown, pixels_of
from fmnist_cli.html.page import render
from fmnist_cli.machine import Machine

_PAIRS_LISTED = 12
_SPLITS = ("train", "validation", "test")


class Settings(NamedTuple):
    """Who judged the labels, for people; and the options of the command, as JSON values."""

    judge: str
    options: Mapping[str, str | int]


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
        top: how many issues and groups the page shows.
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
    options = (word for name, value in settings.options.items() for word in (f"--{name}", value))
    document = {
        "command": shlex.join(["fmnist", "data", "audit", *map(str, options)]),
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
                for (label, suggested), count in _pairs(issues)
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


def page(findings: Findings, data: AuditData, judge: str, top: int) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        judge: who judged the labels, for people.
        top: how many issues, and how many groups of duplicates, are shown.
    """
    issues, groups, pixels = findings.issues[:top], findings.groups[:top], data.pixels
    by_split = Counter[str](issue.split for issue in findings.issues)
    shares = zip(CLASS_NAMES, findings.train.noise(), findings.test.noise(), strict=True)
    return render(
        "audit.html",
        script="page.js",
        judge=judge,
        counts={
            "labels likely wrong": len(findings.issues),
            **{f"of these in {name}": by_split[name] for name in _SPLITS},
            "groups of duplicates": len(findings.groups),
            "of these across splits": sum(group.across_splits for group in findings.groups),
            "of these with differing labels": sum(group.conflicting for group in findings.groups),
        },
        noise=[(name, f"{train:.1%}", f"{test:.1%}") for name, train, test in shares],
        pairs=[
            (CLASS_NAMES[label], CLASS_NAMES[suggested], f"{count:,}")
            for (label, suggested), count in _pairs(findings.issues)[:_PAIRS_LISTED]
        ],
        pair_options=[
            (f"{one}-{other}", f"{CLASS_NAMES[one]} → {CLASS_NAMES[other]} ({count:,})")
            for (one, other), count in _pairs(issues)
        ],
        split_options=[(name, name) for name in _SPLITS],
        issues_found=len(findings.issues),
        issues=[_issue(rank, issue, pixels) for rank, issue in enumerate(issues, start=1)],
        groups_found=len(findings.groups),
        groups=[_group(number, group, pixels) for number, group in enumerate(groups, start=1)],
    )


def _pairs(issues: Sequence[Issue]) -> list[tuple[tuple[int, int], int]]:
    """Label and suggestion with how many issues there are, the most frequent first."""
    return Counter((issue.label, issue.suggested) for issue in issues).most_common()


def _issue(rank: int, issue: Issue, pixels: Pixels) -> Card:
    label, suggested = CLASS_NAMES[issue.label], CLASS_NAMES[issue.suggested]
    return Card(
        [_shown(issue, pixels)],
        given=(label, f"{issue.self_confidence:.1%}"),
        verdicts=[(f"→ {suggested}", f"{issue.suggested_probability:.1%}")],
        path=f"{issue.split} {issue.index} · #{rank}",
        data={"pair": f"{issue.label}-{issue.suggested}", "split": issue.split},
    )


def _group(number: int, group: Group, pixels: Pixels) -> Card:
    flags = [" and ".join(sorted({copy.kind for copy in group.copies}))]
    if group.conflicting:
        flags.append("labels differ")
    if group.across_splits:
        flags.append("across splits")
    return Card(
        [
            _shown(copy, pixels)._replace(
                caption=(CLASS_NAMES[copy.label], f"{copy.split} {copy.index}")
            )
            for copy in group.copies
        ],
        flags=flags,
        notes=[f"group {number} · correlation {group.closest:.4f}"],
    )


def _shown(place: Place, pixels: Pixels) -> Shown:
    words = f"{place.split} image {place.index}, labelled {CLASS_NAMES[place.label]}"
    return pixels_of(pixels[place.position], words)
