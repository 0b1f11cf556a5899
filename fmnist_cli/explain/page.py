"""Explained pictures as one HTML page that needs nothing but itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fmnist_cli.explain.draw import colored, overlaid
from fmnist_cli.explain.explanation import Explainer, Explanation
from fmnist_cli.runtime.rows import Rejected
from fmnist_cli.runtime.sinks.gallery.page import allowed, asset, text


def page(
    explainer: Explainer,
    title: str,
    explanations: Sequence[Explanation],
    names: Sequence[str],
    rejected: Sequence[Rejected],
) -> Iterator[str]:
    """The page, piece by piece.

    Args:
        explainer: what explained them.
        title: of its model, for people.
        explanations: what is shown.
        names: file of each one's triptych, which lies beside the page.
        rejected: what could not be read.
    """
    # Its looks are those of the contact sheet of `fmnist classify`.
    style = asset("page.css", "fmnist_cli.runtime.sinks.gallery") + asset("page.css", __package__)
    yield f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src {allowed(style)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Where {text(title)} looked</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#pictures">Skip to the pictures</a>
<header>
<h1>Where the network looked</h1>
<p class="soft">{text(title)} · {text(explainer.method)} at {text(explainer.layer)}</p>
</header>
<main>
"""
    yield from _overview(explanations, rejected)
    yield '<ul class="cards explained" id="pictures" tabindex="-1">\n'
    for explanation, name in zip(explanations, names, strict=True):
        yield _card(explanation, name)
    yield "</ul>\n</main>\n</body>\n</html>\n"


def _overview(explanations: Sequence[Explanation], rejected: Sequence[Rejected]) -> Iterator[str]:
    labelled = [e.subject for e in explanations if e.subject.true is not None]
    numbers = {"pictures": len(explanations)}
    if labelled:
        numbers["of another class than predicted"] = sum(s.true != s.predicted for s in labelled)
    if rejected:
        numbers["rejected"] = len(rejected)
    yield '<dl class="numbers">'
    yield from (f"<div><dt>{name}</dt><dd>{count:,}</dd></div>" for name, count in numbers.items())
    ramp = colored(np.arange(256, dtype=np.uint8)[None])
    yield f"""</dl>
<p class="words">Bright is where the evidence for a class is, dark where there is none or some
against it. Each map is scaled to its own maximum: maps say where, not how much, and
their colours must not be compared from one picture to the next.</p>
<div class="scale"><span>none</span>\
<img src="{_png(ramp)}" width="256" height="1" alt="scale of colours from dark blue to yellow">\
<span>most in the picture</span></div>
"""
    if rejected:
        yield f'<details open><summary>{len(rejected):,} rejected</summary><ul class="reasons">\n'
        for row in rejected:
            yield f"<li><code>{text(row.path)}</code> {text(row.error)}</li>\n"
        yield "</ul></details>\n"


def _card(explanation: Explanation, name: str) -> str:
    subject = explanation.subject
    source, target = text(subject.source), text(explanation.target_name)
    pictures = (
        (subject.pixels, f"{source} as the model sees it"),
        (colored(explanation.heat), f"heat map of {source}: evidence for {target}"),
        (overlaid(subject.pixels, explanation.heat), f"{source} under its heat map"),
    )
    images = "".join(
        f'<img src="{_png(pixels)}" width="28" height="28" alt="{alt}">' for pixels, alt in pictures
    )
    predicted = text(explanation.predicted_name)
    true = f"true: {text(explanation.true_name)} · " if explanation.true_name else ""
    return (
        f'<li class="card"><figure><div class="pictures">{images}</div><figcaption>'
        f'<p class="verdict"><span>{predicted}</span>'
        f" <span>{100 * subject.confidence:.1f}\N{NO-BREAK SPACE}%</span></p>"
        f'<p class="soft">{true}evidence for: {target}</p>'
        f'<p class="path">{source} · {text(name)}</p></figcaption></figure></li>\n'
    )


def _png(pixels: npt.NDArray[np.uint8]) -> str:
    """Grey [H, W] or RGB [H, W, 3] as a data URI."""
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    content = cv2.imencode(".png", bgr)[1].tobytes()
    return f"data:image/png;base64,{b64encode(content).decode()}"
