"""Per model: the classification report, the confusion matrix and the pictures behind its cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fmnist_cli.report.inputs import Inputs
from fmnist_cli.report.markup import Section, data, paragraph, percent, table, text
from fmnist_cli.report.mistakes import FULL, Mistakes, mistakes
from fmnist_cli.report.pictures import COLUMNS, Pictures, image_html, sheet_html
from fmnist_cli.report.sections import NO_PICTURES, absent

_LEVELS = 6  # shades of a cell
_SUREST = 16


def every_mistake(inputs: Inputs, pictures: Pictures) -> dict[str, Mistakes]:
    """Mistakes of the models whose predictions are known and belong to these pictures."""
    document = inputs.sources["evaluation"].document
    images = pictures.splits.get(document["split"])
    if images is None:
        return {}
    found = {model: mistakes(result, images.labels) for model, result in document["models"].items()}
    return {model: one for model, one in found.items() if one is not None}


def class_names(result: Mapping[str, Any]) -> list[str]:
    """The classes of a model in an evaluation, in the order of its matrix."""
    return [one["label"] for one in result["per_class"]]


def picker(inputs: Inputs, purpose: str) -> str:
    """The choice of a model, the most accurate one at first; page.js acts on it."""
    models = inputs.sources["evaluation"].document["models"]
    best = max(models, key=lambda model: models[model]["accuracy"])
    options = "".join(
        f'<option value="{text(model)}"{" selected" if model == best else ""}>'
        f"{text(inputs.title(model))}</option>"
        for model in models
    )
    return (
        f'<form class="picker" hidden aria-label="{text(purpose)}"><label>Model'
        f' <select name="model">{options}</select></label></form>\n'
    )


def build(inputs: Inputs, pictures: Pictures) -> Section:
    """Reports and matrices; a click on a cell shows its pictures."""
    name, title = "confusion", "Model by model"
    if "evaluation" not in inputs.sources:
        return absent(name, title, "evaluation")
    source = inputs.sources["evaluation"]
    split, models = source.document["split"], source.document["models"]
    known = every_mistake(inputs, pictures)
    notices = inputs.stale("evaluation")
    if not pictures.splits:
        notices.append(NO_PICTURES)
    elif len(known) < len(models):
        notices.append(
            f"{source.name} holds no predictions, or was measured on other images than those"
            f" found, for {', '.join(model for model in models if model not in known)}; their"
            " cells show no pictures. Measure again: fmnist evaluate -o evaluate-test.json"
        )
    body = [paragraph("A row of the matrix is a true class, a column a predicted one.")]
    if known:
        body.append(
            paragraph("Choose a count off the diagonal, by mouse or keyboard (arrow keys move), to"
                      " see the pictures behind it, the most confident mistake first.")
        )  # fmt: skip
    body.append(picker(inputs, "Choose whose matrix is shown"))
    for model, result in models.items():
        body += _model(model, inputs.title(model), result, pictured=model in known)
    if known:
        names = class_names(next(iter(models.values())))
        body += _behind(known, names, pictures, split)
    return Section(name, title, "".join(body), notices)


def _model(model: str, title: str, result: Mapping[str, Any], *, pictured: bool) -> Iterator[str]:
    yield f'<article class="model" data-model="{text(model)}"><h3>{text(title)}</h3>\n'
    yield '<div class="pair">\n<figure><figcaption>Confusion matrix, images</figcaption>\n'
    yield _matrix(result["confusion"], class_names(result), title, pictured=pictured)
    if pictured:
        yield '<div class="wrong"><output aria-live="polite"></output>'
        yield '<ul class="tiles"></ul></div>\n'
    yield "</figure>\n<figure><figcaption>Classification report</figcaption>\n"
    rows = [
        [one["label"], *(f"{one[key]:.4f}" for key in ("precision", "recall", "f1")),
         f"{one['support']:,}"]
        for one in (*result["per_class"], result["macro"], result["weighted"])
    ]  # fmt: skip
    rows.insert(-2, ["accuracy", "", "", f"{result['accuracy']:.4f}", f"{result['images']:,}"])
    header = ["class", "precision", "recall", "F1", "images"]
    yield table(header, rows, name=f"{title}: classification report")
    yield "</figure></div></article>\n"


def _matrix(counts: list[list[int]], names: list[str], title: str, *, pictured: bool) -> str:
    off = [n for true, row in enumerate(counts) for at, n in enumerate(row) if at != true]
    most = max(off) or 1
    heads = "".join(f'<th scope="col"><span>{text(name)}</span></th>' for name in names)
    rows = []
    for true, row in enumerate(counts):
        cells = []
        for predicted, count in enumerate(row):
            if true == predicted:
                cells.append(f'<td class="hit">{count}</td>')
                continue
            level = int(np.ceil(_LEVELS * (count / most) ** 0.5))
            content = f"{count}"
            if count and pictured:
                what = f"{count} of {names[true]} predicted {names[predicted]}"
                content = (
                    f'<button type="button" data-true="{true}" data-predicted="{predicted}"'
                    f' aria-label="{text(what)}, show pictures">{count}</button>'
                )
            cells.append(f'<td class="l{level}">{content}</td>')
        head = f'<th scope="row">{text(names[true])}</th>'
        rows.append(f"<tr>{head}{''.join(cells)}</tr>\n")
    return (
        f'<table class="confusion"><caption class="unseen">{text(title)}: true classes down,'
        f" predicted classes across</caption><thead><tr><td>true ↓ predicted →</td>{heads}</tr>"
        f"</thead><tbody>\n{''.join(rows)}</tbody></table>\n"
    )


def _behind(
    known: Mapping[str, Mistakes], names: list[str], pictures: Pictures, split: str
) -> Iterator[str]:
    """The pictures of all mistakes, each once, and which mistake shows which."""
    images = pictures.splits[split]
    union = np.unique(np.concatenate([one.index for one in known.values()]))
    places = union if images.positions is None else images.positions[union]
    listed = {
        model: [
            list(row)
            for row in zip(
                np.searchsorted(union, one.index).tolist(),
                one.true.tolist(),
                one.predicted.tolist(),
                one.confidence.tolist(),
                strict=True,
            )
        ]
        for model, one in known.items()
    }
    yield data(
        "mistakes",
        {
            "split": split,
            "side": images.pixels.shape[1],
            "columns": COLUMNS,
            "full": FULL,
            "classes": names,
            "places": places.tolist(),
            "models": listed,
        },
    )
    yield sheet_html("mistakes", images.pixels[union])


def surest(inputs: Inputs, pictures: Pictures) -> Section:
    """The mistakes each model was most confident of."""
    name, title = "surest", "Most confident mistakes"
    if "evaluation" not in inputs.sources:
        return absent(name, title, "evaluation")
    known = every_mistake(inputs, pictures)
    if not known:
        why = NO_PICTURES if not pictures.splits else "Left out: no predictions known"
        return Section(name, title, "", (why,))
    document = inputs.sources["evaluation"].document
    split = document["split"]
    body = [
        paragraph(
            "Look here first: a confident mistake may be a wrong label. Number: place in the"
            f" official {split} file."
        ),
        picker(inputs, "Choose whose mistakes are shown"),
    ]
    for model, one in known.items():
        names = class_names(document["models"][model])
        cards = "".join(_cards(one, names, pictures, split))
        body.append(
            f'<article class="model" data-model="{text(model)}">'
            f"<h3>{text(inputs.title(model))}</h3>"
            f'\n<ul class="tiles">{cards}</ul></article>\n'
        )
    return Section(name, title, "".join(body), inputs.stale("evaluation"))


def _cards(one: Mistakes, names: list[str], pictures: Pictures, split: str) -> Iterator[str]:
    images = pictures.splits[split]
    rows = zip(one.index, one.true, one.predicted, one.confidence, strict=True)
    for _, (at, true, predicted, confidence) in zip(range(_SUREST), rows, strict=False):
        place = int(at) if images.positions is None else int(images.positions[at])
        said, label = names[predicted], names[true]
        alt = f"{split} image {place}, labelled {label}, predicted {said}"
        yield (
            f"<li>{image_html(images.pixels[at], alt)}"
            f"<span><b>{text(said)}</b> {percent(confidence / FULL, 1)}<br>"
            f'labelled {text(label)}<br><span class="soft">{split} {place}</span></span></li>\n'
        )
