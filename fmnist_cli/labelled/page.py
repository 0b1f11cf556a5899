"""The pictures that models got wrong, as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist_cli.album.page import document, refused
from fmnist_cli.labelled.evaluation import FolderEvaluation, FolderResult, unknown_words
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.rows import UNKNOWN
from fmnist_cli.sinks.gallery.page import asset, text

_EACH = 100  # pictures shown of a folder
_AT_ONCE = 14  # of these; the others are behind a click

# Path and preparation → thumbnail, and frame that the models saw, as data URIs.
Draw = Callable[[str, str], tuple[str | None, str | None]]


class Shown(NamedTuple):
    """What the page tells.

    Attributes:
        found: the pictures.
        title: what they are called.
        class_names: of each model.
        results: of each model, by the same names.
        draw: makes the pictures of a card.
    """

    found: LabelledPictures
    title: str
    class_names: Mapping[str, Sequence[str]]
    results: Mapping[str, FolderEvaluation]
    draw: Draw


def page(shown: Shown) -> Iterator[str]:
    """The page, piece by piece."""
    found = shown.found
    below = f"{shown.title} · {len(found):,} pictures · {', '.join(shown.results)}"
    style = asset("page.css", __package__)
    return document(f"Labelled wrong: {shown.title}", "Labelled wrong", below, _body(shown), style)


def _body(shown: Shown) -> Iterator[str]:
    found, results = shown.found, shown.results
    yield from refused(found.rejected)
    for number, (model, result) in enumerate(results.items()):
        yield from _model(f"model-{number}", model, result, shown.class_names[model])
    yield '<div id="pictures" tabindex="-1">\n'
    wrong = np.any([result.wrong for result in results.values()], axis=0)
    if not wrong.any():
        yield "<p>Every picture has the right label.</p>\n"
    meant = {one.folder: one for one in next(iter(results.values())).folders}
    for at, folder in enumerate(found.folders):
        chosen = np.flatnonzero(wrong & (found.members == at))
        if len(chosen):
            yield from _folder(f"folder-{at}", meant[folder], chosen, shown)
    yield "</div>\n"


def _model(
    anchor: str, model: str, result: FolderEvaluation, class_names: Sequence[str]
) -> Iterator[str]:
    numbers = {
        "accuracy": f"{result.accuracy:.1%}",
        "mean over folders": f"{result.macro_accuracy:.1%}",
        "pictures": f"{result.images:,}",
    }
    yield f'<section class="model" aria-labelledby="{anchor}">'
    yield f'<h2 id="{anchor}">{text(model)}</h2>\n'
    yield '<dl class="numbers">'
    yield from (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in numbers.items())
    yield "</dl>\n"
    if words := unknown_words(result):
        yield f'<p class="words">{text(words)}.</p>\n'
    given = {label for one in result.folders for label in one.labels}
    labels = [name for name in class_names if name in given]
    asked = result.unknown is not None
    heads = ["folder", "right", *(["called unknown"] if asked else []), *labels]
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="Labels, {text(model)}">'
    yield "<table><thead><tr>"
    yield from (f'<th scope="col">{text(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>\n"
    for one in result.folders:
        yield _row(one, labels)
    yield "</tbody></table></div></section>\n"


def _row(one: FolderResult, labels: Sequence[str]) -> str:
    recall = f"{one.right / one.images:.1%}" if one.right is not None and one.images else "–"
    unknown = "" if one.unknown is None else f"<td>{one.unknown:,}</td>"
    cells = "".join(
        f'<td class="hit">{count:,}</td>' if label in one.classes else f"<td>{count:,}</td>"
        for label, count in ((label, one.labels.get(label, 0)) for label in labels)
    )
    return f'<tr><th scope="row">{text(one.folder)}</th><td>{recall}</td>{unknown}{cells}</tr>\n'


def _folder(
    anchor: str, one: FolderResult, chosen: npt.NDArray[np.intp], shown: Shown
) -> Iterator[str]:
    # The surest mistakes first: they say most.
    sure = np.max(
        [np.where(r.wrong, r.confidence, 0)[chosen] for r in shown.results.values()], axis=0
    )
    order = chosen[np.argsort(-sure, kind="stable")][:_EACH]
    means = " or ".join(one.classes) or UNKNOWN
    yield f'<section class="label" aria-labelledby="{anchor}"><h2 id="{anchor}">{text(one.folder)}'
    yield f' <span class="soft">{len(chosen):,} of {one.images:,}</span></h2>\n'
    yield f'<p class="soft">right would be: {text(means)}'
    yield f"; the {_EACH} surest mistakes</p>\n" if len(chosen) > _EACH else "</p>\n"

    def cards(positions: Sequence[int]) -> Iterator[str]:
        yield '<ul class="cards">\n'
        for position in positions:
            yield _card(position, one, shown)
        yield "</ul>\n"

    yield from cards(order[:_AT_ONCE].tolist())
    if len(order) > _AT_ONCE:
        yield f"<details><summary>The next {len(order) - _AT_ONCE}</summary>\n"
        yield from cards(order[_AT_ONCE:].tolist())
        yield "</details>\n"
    yield "</section>\n"


def _card(position: int, one: FolderResult, shown: Shown) -> str:
    found = shown.found
    path = text(found.paths[position])
    original, frame = shown.draw(found.paths[position], found.prepared[position])
    pictures = "" if original or frame else '<span class="none">no preview</span>'
    if original is not None:
        pictures += f'<img class="original" src="{original}" alt="{path}">'
    if frame is not None:
        alone = "" if original else " alone"
        pictures += f'<img class="frame{alone}" src="{frame}" alt="{path} as the model saw it">'
    said = ""
    for model, result in shown.results.items():
        if result.wrong[position]:
            label = shown.class_names[model][int(result.predicted[position])]
            unknown = bool(result.is_unknown[position])
            words = f"{UNKNOWN} ({label})" if unknown else label
            name = f"{text(model)}: " if len(shown.results) > 1 else ""
            said += (
                f"<li><b>{name}{text(words)}</b>"
                f" <span>{float(result.confidence[position]):.1%}</span></li>"
            )
    return (
        f'<li class="card"><div class="pictures">'
        f"{pictures}</div>"
        f'<ul class="said">{said}</ul><p class="soft">true: {text(one.folder)}</p>'
        f'<p class="path">{path} · {text(found.prepared[position])}</p></li>\n'
    )
