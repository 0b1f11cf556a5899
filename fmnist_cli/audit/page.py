"""The audit as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fmnist_cli.audit.findings import Copy, Findings, Group, Issue
from fmnist_cli.audit.labels import AuditData
from fmnist_cli.contract import Pixels
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.html.contact_sheet import Card, Shown, pixels_of
from fmnist_cli.html.page import render

_PAIRS_LISTED = 12
_SPLITS = ("train", "validation", "test")


def page(findings: Findings, data: AuditData, judge: str, top: int) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        findings: what there is to show.
        data: whose images they are.
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


def _shown(place: Issue | Copy, pixels: Pixels) -> Shown:
    words = f"{place.split} image {place.index}, labelled {CLASS_NAMES[place.label]}"
    return pixels_of(pixels[place.position], words)
