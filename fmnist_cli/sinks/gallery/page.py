"""The page: HTML, piece by piece, from a `Report`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files

from fmnist_cli.contract import UNKNOWN
from fmnist_cli.sinks.gallery.report import BINS, Card, Report, Section
from fmnist_cli.sinks.text import printable

_AT_ONCE = 14  # of the least sure under any label; the others are behind a click
_LOWEST_BAR = 1.0  # percent of the histogram's height


def text(value: str) -> str:
    """Any name as HTML text or attribute: nothing in it is markup, nothing is invisible."""
    return escape(printable(value), quote=True)


def asset(name: str, package: str = __package__) -> str:
    """A text file that lies beside a module of `package`."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def allowed(source: str) -> str:
    """The entry of a content security policy that allows just this text."""
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


def page(report: Report) -> Iterator[str]:
    """The whole page; it needs nothing but itself."""
    style, script = asset("page.css"), asset("page.js")
    ids = {label: f"label-{number}" for number, label in enumerate(report.sections)}
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src {allowed(style)}; script-src {allowed(script)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{report.total:,} pictures labelled by {text(report.title)}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#pictures">Skip to the pictures</a>
<header>
<h1>Pictures by label</h1>
<p class="soft">{text(report.caption)}</p>
</header>
<main>
"""
    yield from _overview(report, ids)
    yield from _least_sure(report.least_sure())
    yield '<div id="pictures" tabindex="-1">\n'
    yield from _filter(report, ids)
    for label, section in report.sections.items():
        if section.count:
            yield from _section(label, ids[label], section)
    yield f"</div>\n</main>\n<script>{script}</script>\n</body>\n</html>\n"


def _overview(report: Report, ids: dict[str, str]) -> Iterator[str]:
    unknown = report.sections[UNKNOWN].count
    numbers = {
        "pictures": report.total,
        "labelled": report.total - report.rejected - unknown,
        "unknown": unknown,
        "rejected": report.rejected,
    }
    yield '<dl class="numbers">'
    yield from (f"<div><dt>{name}</dt><dd>{count:,}</dd></div>" for name, count in numbers.items())
    yield "</dl>\n"
    if report.reasons:
        yield from _rejected(report)
    yield """<div class="overview">
<section aria-labelledby="counts"><h2 id="counts">Pictures per label</h2>
<table><thead><tr><th scope="col">label</th><th scope="col">pictures</th>
<th scope="col">mean confidence</th><td class="bar"></td></tr></thead><tbody>
"""
    most = max(section.count for section in report.sections.values()) or 1
    for label, section in report.sections.items():
        if label == UNKNOWN and not section.count:
            continue
        name, mean = text(label), ""
        if section.count:
            name, mean = (
                f'<a href="#{ids[label]}">{name}</a>',
                _percent(section.sum / section.count),
            )
        yield (
            f'<tr><th scope="row">{name}</th><td>{section.count:,}</td><td>{mean}</td>'
            f'<td class="bar"><svg aria-hidden="true"><rect width="{section.count / most:.2%}"'
            ' height="100%"/></svg></td></tr>\n'
        )
    yield "</tbody></table></section>\n"
    yield from _histogram(report.histogram)
    yield "</div>\n"


def _rejected(report: Report) -> Iterator[str]:
    yield f"<details><summary>{report.rejected:,} rejected, with reasons</summary>"
    yield '<ul class="reasons">\n'
    for row in report.reasons:
        yield f"<li><code>{text(row.path)}</code> {text(row.error)}</li>\n"
    if report.rejected > len(report.reasons):
        yield f"<li>… and {report.rejected - len(report.reasons):,} more; see the rows</li>\n"
    yield "</ul></details>\n"


def _histogram(counts: Sequence[int]) -> Iterator[str]:
    most, width = max(counts) or 1, 100 / BINS
    bins = [f"{number * width:g} to {(number + 1) * width:g}%" for number in range(BINS)]
    yield f"""<section aria-labelledby="sure"><h2 id="sure">How sure the model is</h2>
<p class="scale" aria-hidden="true">{_pictures(max(counts))}</p>
<svg class="histogram" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
"""
    for number, (bounds, count) in enumerate(zip(bins, counts, strict=True)):
        left = number * width
        # One picture among millions is still to be seen, and to be pointed at.
        height = max(100 * count / most, _LOWEST_BAR if count else 0)
        yield (
            f"<g><title>{bounds}: {_pictures(count)}</title>"
            f'<rect class="room" x="{left:g}" width="{width:g}" height="100"/>'
            f'<rect x="{left + 0.3:g}" y="{100 - height:.2f}" width="{width - 0.6:g}"'
            f' height="{height:.2f}"/></g>\n'
        )
    yield """</svg>
<p class="axis" aria-hidden="true"><span>0%</span><span>50% confidence</span><span>100%</span></p>
<details><summary>As numbers</summary><table class="numbered"><thead>
<tr><th scope="col">confidence</th><th scope="col">pictures</th></tr></thead><tbody>
"""
    for bounds, count in zip(bins, counts, strict=True):
        if count:
            yield f'<tr><th scope="row">{bounds}</th><td>{count:,}</td></tr>\n'
    yield "</tbody></table></details></section>\n"


def _least_sure(cards: Sequence[Card]) -> Iterator[str]:
    if not cards:
        return
    first, more = cards[:_AT_ONCE], cards[_AT_ONCE:]
    yield '<section class="least" aria-labelledby="least"><h2 id="least">The least sure</h2>\n'
    yield from _cards(first)
    if more:
        yield f"<details><summary>The next {len(more)}</summary>\n"
        yield from _cards(more)
        yield "</details>\n"
    yield "</section>\n"


def _filter(report: Report, ids: dict[str, str]) -> Iterator[str]:
    yield '<form hidden aria-label="Filter the pictures"><label>Label <select name="label">'
    yield '<option value="">all</option>'
    for label, section in report.sections.items():
        if section.count:
            yield f'<option value="{ids[label]}">{text(label)}</option>'
    yield """</select></label>
<label>Confidence from <input name="from" type="number" min="0" max="100" placeholder="0"> %</label>
<label>to <input name="to" type="number" min="0" max="100" placeholder="100"> %</label>
<button type="reset">Show all</button><output name="shown" aria-live="polite"></output></form>
"""


def _section(label: str, anchor: str, section: Section) -> Iterator[str]:
    unsure, surest = section.least_sure(), section.most_sure()
    yield f'<section class="label" id="{anchor}" aria-labelledby="{anchor}-name">\n'
    yield f'<h2 id="{anchor}-name">{text(label)} <span class="soft">{section.count:,}</span></h2>\n'
    if section.count > len(unsure):
        yield f"<h3>The {len(unsure)} least sure</h3>\n"
    yield from _cards(unsure)
    if surest:
        yield f"<details><summary>The {len(surest)} surest</summary>\n"
        yield from _cards(surest)
        yield "</details>\n"
    yield "</section>\n"


def _cards(cards: Sequence[Card]) -> Iterator[str]:
    yield '<ul class="cards">\n'
    yield from map(_card, cards)
    yield "</ul>\n"


def _card(card: Card) -> str:
    row = card.row
    path = text(row.path)
    pictures = '<span class="none">no preview</span>'
    if card.frame is not None:
        alone = "" if card.original else " alone"
        alt = f"{path} as the model saw it" if card.original else path
        pictures = f'<img class="frame{alone}" src="{card.frame}" alt="{alt}">'
    if card.original is not None:
        pictures = f'<img class="original" src="{card.original}" alt="{path}">{pictures}'
    # The runner-up; of an unknown picture, which has no label of its own, the two best.
    named = bool(row.top) and row.top[0].label == row.label
    others = " · ".join(f"{text(c.label)} {_percent(c.probability)}" for c in row.top[named:2])
    model = "" if row.model is None else f" · {text(row.model)}"
    return (
        f'<li class="card" data-confidence="{100 * row.confidence:.4f}">'
        f'<div class="pictures">{pictures}</div>'
        f'<p class="verdict"><span>{text(row.label)}</span>'
        f" <span>{_percent(row.confidence)}</span></p>"
        f'<p class="soft">{others or "no runner-up"}</p><p class="path">{path}{model}</p></li>\n'
    )


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"
