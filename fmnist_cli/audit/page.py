"""The audit as one HTML page that needs nothing but itself."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence

from fmnist_cli.audit.findings import Copy, Findings, Group, Issue
from fmnist_cli.audit.labels import AuditData
from fmnist_cli.contract import Pixels
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.sinks.gallery.page import allowed, asset, text

_PAIRS_LISTED = 12


def page(findings: Findings, data: AuditData, judge: str, top: int) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        findings: what there is to show.
        data: whose images they are.
        judge: who judged the labels, for people.
        top: how many issues, and how many groups of duplicates, are shown.
    """
    # Its looks are those of the contact sheet of `fmnist classify`.
    style = asset("page.css") + asset("page.css", __package__)
    script = asset("page.js", __package__)
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src {allowed(style)}; script-src {allowed(script)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Labels and duplicates of the data set</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#issues">Skip to the images</a>
<header>
<h1>Labels and duplicates</h1>
<p class="soft">{text(judge)}</p>
</header>
<main>
"""
    pixels = data.pixels
    yield from _overview(findings)
    yield from _issues(findings.issues, findings.issues[:top], pixels)
    yield from _duplicates(findings.groups, findings.groups[:top], pixels)
    yield f"</main>\n<script>{script}</script>\n</body>\n</html>\n"


def _overview(findings: Findings) -> Iterator[str]:
    by_split = Counter(issue.split for issue in findings.issues)
    numbers = {
        "labels likely wrong": len(findings.issues),
        **{f"of these in {name}": by_split[name] for name in ("train", "validation", "test")},
        "groups of duplicates": len(findings.groups),
        "of these across splits": sum(group.across_splits for group in findings.groups),
        "of these with differing labels": sum(group.conflicting for group in findings.groups),
    }
    yield '<dl class="numbers">'
    yield from (f"<div><dt>{name}</dt><dd>{count:,}</dd></div>" for name, count in numbers.items())
    yield """</dl>
<p class="words">A label is listed when a model that did not see the image is confident of another
class. That is a reason to look, not a verdict: garments between two classes are listed, too, and
the estimated shares count what the model confuses as well as what the labels do.</p>
<div class="columns">
<section aria-labelledby="noise"><h2 id="noise">Estimated share of wrong labels</h2>
<table><thead><tr><th scope="col">label</th><th scope="col">training file</th>
<th scope="col">test file</th></tr></thead><tbody>
"""
    rows = zip(CLASS_NAMES, findings.train.noise(), findings.test.noise(), strict=True)
    for name, train, test in rows:
        yield (
            f'<tr><th scope="row">{text(name)}</th><td>{_percent(train)}</td>'
            f"<td>{_percent(test)}</td></tr>\n"
        )
    yield """</tbody></table></section>
<section aria-labelledby="pairs"><h2 id="pairs">Most frequently listed</h2>
<table><thead><tr><th scope="col">label</th>
<th scope="col" class="name">suggested</th>
<th scope="col">images</th></tr></thead><tbody>
"""
    for (label, suggested), count in _pairs(findings.issues)[:_PAIRS_LISTED]:
        yield (
            f'<tr><th scope="row">{text(CLASS_NAMES[label])}</th>'
            f'<td class="name">{text(CLASS_NAMES[suggested])}</td><td>{count:,}</td></tr>\n'
        )
    yield "</tbody></table></section>\n</div>\n"


def _pairs(issues: Sequence[Issue]) -> list[tuple[tuple[int, int], int]]:
    """Label and suggestion with how many issues there are, the most frequent first."""
    return Counter((issue.label, issue.suggested) for issue in issues).most_common()


def _issues(every: Sequence[Issue], shown: Sequence[Issue], pixels: Pixels) -> Iterator[str]:
    yield '<section class="findings" id="issues" tabindex="-1" aria-labelledby="issues-name">\n'
    yield f'<h2 id="issues-name">Labels likely wrong <span class="soft">{len(every):,}</span>'
    yield "</h2>\n"
    if len(every) > len(shown):
        yield f'<p class="soft">The worst {len(shown):,}; all are in audit.csv.</p>\n'
    yield '<form hidden aria-label="Filter the images">'
    yield '<label>Classes <select name="pair"><option value="">all</option>'
    for (label, suggested), count in _pairs(shown):
        name = f"{CLASS_NAMES[label]} → {CLASS_NAMES[suggested]}"
        yield f'<option value="{label}-{suggested}">{text(name)} ({count:,})</option>'
    yield '</select></label>\n<label>Split <select name="split"><option value="">all</option>'
    for split in ("train", "validation", "test"):
        yield f'<option value="{split}">{split}</option>'
    yield """</select></label>
<button type="reset">Show all</button><output name="shown" aria-live="polite"></output></form>
<ul class="cards issues">
"""
    for rank, issue in enumerate(shown, start=1):
        yield _issue_card(rank, issue, pixels)
    yield "</ul>\n</section>\n"


def _issue_card(rank: int, issue: Issue, pixels: Pixels) -> str:
    label, suggested = text(CLASS_NAMES[issue.label]), text(CLASS_NAMES[issue.suggested])
    return (
        f'<li class="card" data-pair="{issue.label}-{issue.suggested}"'
        f' data-split="{issue.split}"><div class="pictures">'
        f"{_image(issue, label, pixels)}</div>"
        f'<p class="given"><span>{label}</span>'
        f" <span>{_percent(issue.self_confidence)}</span></p>"
        f'<p class="verdict"><span>→ {suggested}</span>'
        f" <span>{_percent(issue.suggested_probability)}</span></p>"
        f'<p class="soft"><span class="path">{issue.split} {issue.index}</span>'
        f" · #{rank}</p></li>\n"
    )


def _duplicates(every: Sequence[Group], shown: Sequence[Group], pixels: Pixels) -> Iterator[str]:
    yield '<section class="findings" id="duplicates" aria-labelledby="duplicates-name">\n'
    yield (
        f'<h2 id="duplicates-name">Duplicates <span class="soft">{len(every):,} groups'
        "</span></h2>\n"
    )
    if len(every) > len(shown):
        yield f'<p class="soft">The first {len(shown):,}; all are in duplicates.csv.</p>\n'
    yield '<ul class="cards groups">\n'
    for number, group in enumerate(shown, start=1):
        yield _group_card(number, group, pixels)
    yield "</ul>\n</section>\n"


def _group_card(number: int, group: Group, pixels: Pixels) -> str:
    flags = [" and ".join(sorted({copy.kind for copy in group.copies}))]
    if group.conflicting:
        flags.append("labels differ")
    if group.across_splits:
        flags.append("across splits")
    pictures = "".join(_figure(copy, pixels) for copy in group.copies)
    return (
        f'<li class="card"><div class="pictures">{pictures}</div>'
        f'<ul class="flags">{"".join(f"<li>{flag}</li>" for flag in flags)}</ul>'
        f'<p class="soft">group {number} · correlation {group.closest:.4f}</p></li>\n'
    )


def _figure(copy: Copy, pixels: Pixels) -> str:
    label = text(CLASS_NAMES[copy.label])
    return (
        f"<figure>{_image(copy, label, pixels)}<figcaption>{label}<br>"
        f'<span class="path">{copy.split} {copy.index}</span></figcaption></figure>'
    )


def _image(place: Issue | Copy, label: str, pixels: Pixels) -> str:
    import cv2

    image = pixels[place.position]
    height, width = image.shape
    content = cv2.imencode(".png", image)[1].tobytes()
    return (
        f'<img class="frame alone" src="data:image/png;base64,{b64encode(content).decode()}"'
        f' width="{width}" height="{height}"'
        f' alt="{place.split} image {place.index}, labelled {label}">'
    )


def _percent(value: float) -> str:
    return f"{value:.1%}"
