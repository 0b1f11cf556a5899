"""Per model: the classification report, the confusion matrix and the pictures behind its cells."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.evaluate.metrics import confusion_matrix
from fmnist_cli.html.contact_sheet import Card, pixels_of
from fmnist_cli.report.inputs import NO_PICTURES, Inputs, Made
from fmnist_cli.report.parts import (
    COLUMNS,
    columns,
    data,
    hidden_sheet,
    made,
    percent,
    table,
    words,
)

if TYPE_CHECKING:
    from markupsafe import Markup

_FULL = 65535  # the confidence of 1
_LEVELS = 6  # shades of a cell
_SUREST = 16


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Images with another label than predicted, the most confident first.

    Attributes:
        index: in the split, intp [M].
        true: class by label, int64 [M].
        predicted: class predicted, int64 [M].
        confidence: of the predicted class, int64 [M], 65535 standing for 1.
    """

    index: npt.NDArray[np.intp]
    true: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.int64]


def mistakes(result: Mapping[str, Any], labels: Labels) -> Mistakes | None:
    """Mistakes of a model.

    Args:
        result: of the model in the JSON of `fmnist evaluate`.
        labels: int64 [N], of the split it was measured on.

    Returns:
        None where predictions are missing, or belong to other labels than these.
    """
    if "predictions" not in result:
        return None
    predicted = np.frombuffer(b64decode(result["predictions"]["class_id"]), np.uint8)
    sure = np.frombuffer(b64decode(result["predictions"]["confidence"]), "<u2").astype(np.int64)
    if len(predicted) != len(labels) or len(sure) != len(labels):
        return None
    chosen = predicted.astype(np.int64)
    if confusion_matrix(chosen, labels, len(result["confusion"])).tolist() != result["confusion"]:
        return None
    wrong = np.flatnonzero(chosen != labels)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")]
    return Mistakes(wrong, labels[wrong], chosen[wrong], sure[wrong])


def _known(inputs: Inputs) -> dict[str, Mistakes]:
    """Mistakes of the models whose predictions are known and belong to these pictures."""
    document = inputs.sources["evaluation"].document
    images = inputs.pictures.splits.get(document["split"])
    if images is None:
        return {}
    found = {model: mistakes(result, images.labels) for model, result in document["models"].items()}
    return {model: one for model, one in found.items() if one is not None}


def _class_names(result: Mapping[str, Any]) -> list[str]:
    """The classes of a model in an evaluation, in the order of its matrix."""
    return [one["label"] for one in result["per_class"]]


def _picker(inputs: Inputs, purpose: str) -> Markup:
    """The choice of a model, the most accurate one at first; report.js acts on it."""
    models = inputs.sources["evaluation"].document["models"]
    best = max(models, key=lambda model: models[model]["accuracy"])
    return made("picker", purpose=purpose, models=list(models), chosen=best)


def confusion(inputs: Inputs) -> Made:
    """Reports and matrices; a click on a cell shows its pictures."""
    source = inputs.sources["evaluation"]
    split, models = source.document["split"], source.document["models"]
    known = _known(inputs)
    notices = inputs.stale("evaluation")
    if not inputs.pictures.splits:
        notices.append(NO_PICTURES)
    elif len(known) < len(models):
        notices.append(
            f"{source.name} holds no predictions, or was measured on other images than those"
            f" found, for {', '.join(model for model in models if model not in known)}; their"
            " cells show no pictures. Measure again: fmnist evaluate -o evaluate-test.json"
        )
    parts = [words("A row of the matrix is a true class, a column a predicted one.")]
    if known:
        parts.append(
            words(
                "Choose a count off the diagonal, by mouse or keyboard (arrow keys move), to see"
                " the pictures behind it, the most confident mistake first."
            )
        )
    parts.append(_picker(inputs, "Choose whose matrix is shown"))
    for model, result in models.items():
        parts.append(_model(model, result, pictured=model in known))
    if known:
        names = _class_names(next(iter(models.values())))
        parts += _behind(known, names, inputs.pictures.splits[split], split)
    return parts, notices


def _model(model: str, result: Mapping[str, Any], *, pictured: bool) -> Markup:
    counts, names = result["confusion"], _class_names(result)
    most = max((n for true, row in enumerate(counts) for at, n in enumerate(row) if at != true))
    rows = [
        (name, [(n, int(np.ceil(_LEVELS * min(n / (most or 1), 1) ** 0.5))) for n in row])
        for name, row in zip(names, counts, strict=True)
    ]
    matrix = made("matrix", model=model, names=names, rows=rows, pictured=pictured)
    scores = [
        [
            one["label"],
            *(f"{one[key]:.4f}" for key in ("precision", "recall", "f1")),
            f"{one['support']:,}",
        ]
        for one in (*result["per_class"], result["macro"], result["weighted"])
    ]
    scores.insert(-2, ["accuracy", "", "", f"{result['accuracy']:.4f}", f"{result['images']:,}"])
    header = ["class", "precision", "recall", "F1", "images"]
    told = table(f"{model}: classification report", header, scores)
    content = columns(
        made("figure", title="Confusion matrix, images", content=matrix),
        made("figure", title="Classification report", content=told),
    )
    return made("model", name=model, content=content)


def _behind(
    known: Mapping[str, Mistakes], names: Sequence[str], images: LabelledImages, split: str
) -> list[Markup]:
    """The pictures of all mistakes, each once, and which mistake shows which."""
    union = np.unique(np.concatenate([one.index for one in known.values()]))
    places = union if images.positions is None else images.positions[union]
    listed = {
        model: np.stack(
            [np.searchsorted(union, one.index), one.true, one.predicted, one.confidence], axis=1
        ).tolist()
        for model, one in known.items()
    }
    told = {
        "split": split,
        "side": images.pixels.shape[1],
        "columns": COLUMNS,
        "full": _FULL,
        "classes": names,
        "places": places.tolist(),
        "models": listed,
    }
    return [data("mistakes", told), hidden_sheet("mistakes", images.pixels[union])]


def surest(inputs: Inputs) -> Made:
    """The mistakes each model was most confident of."""
    known = _known(inputs)
    if not known:
        return [], ["Left out: no predictions known" if inputs.pictures.splits else NO_PICTURES]
    document = inputs.sources["evaluation"].document
    split = document["split"]
    parts = [
        words(
            "Look here first: a confident mistake may be a wrong label. Number: place in the"
            f" official {split} file."
        ),
        _picker(inputs, "Choose whose mistakes are shown"),
    ]
    for model, one in known.items():
        names = _class_names(document["models"][model])
        cards = _cards(one, names, inputs.pictures.splits[split], split)
        content = made("cards", members=cards)
        parts.append(made("model", name=model, content=content))
    return parts, inputs.stale("evaluation")


def _cards(
    one: Mistakes, names: Sequence[str], images: LabelledImages, split: str
) -> Iterator[Card]:
    rows = zip(one.index, one.true, one.predicted, one.confidence, strict=True)
    for _, (at, true, predicted, confidence) in zip(range(_SUREST), rows, strict=False):
        place = int(at) if images.positions is None else int(images.positions[at])
        said, label = names[predicted], names[true]
        alt = f"{split} image {place}, labelled {label}, predicted {said}"
        yield Card(
            [pixels_of(images.pixels[at], alt, "frame alone")],
            verdicts=[(said, percent(confidence / _FULL, 1))],
            notes=[f"labelled {label}"],
            path=f"{split} {place}",
        )
