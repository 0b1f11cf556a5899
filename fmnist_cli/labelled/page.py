"""The pictures that models got wrong, as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import UNKNOWN
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.files import whole_file, writing
from fmnist_cli.html.contact_sheet import Card, Shown, Thumbnails
from fmnist_cli.html.page import render
from fmnist_cli.labelled.evaluation import FolderEvaluation, FolderResult, unknown_words
from fmnist_cli.labelled.pictures import LabelledPictures

_EACH = 100  # pictures shown of a folder
_AT_ONCE = 14  # of these; the others are behind a click

# Path and preparation → the pictures of a card.
Draw = Callable[[str, str], Sequence[Shown]]


def write_page(
    found: LabelledPictures, results: Mapping[str, FolderEvaluation], target: Path
) -> None:
    """Write the page; pictures that went wrong are read again.

    Raises:
        FmnistError: it cannot be written.
    """
    wrong = {
        found.paths[position]
        for result in results.values()
        for position in result.wrong.nonzero()[0].tolist()
    }
    items = {item.path: item for item in found.labelled.items if item.path in wrong}
    thumbnails = Thumbnails({None: found.spec}, found.mode)

    def draw(path: str, prepared: str) -> Sequence[Shown]:
        return thumbnails(items[path], path, prepared) if path in items else []

    with libraries_quiet(), whole_file(target) as partial, writing(partial):
        text = "".join(page(found, results, draw))
        partial.write_text(text, encoding="utf-8", newline="\n")


def page(
    found: LabelledPictures, results: Mapping[str, FolderEvaluation], draw: Draw
) -> Iterator[str]:
    """The page, piece by piece; pictures are drawn when it comes to them."""
    anywhere = np.any([result.wrong for result in results.values()], axis=0)
    meant = next(iter(results.values())).folders

    def card(position: int, folder: str) -> Card:
        path, prepared = found.paths[position], found.prepared[position]
        return Card(
            draw(path, prepared),
            verdicts=_verdicts(position, results),
            notes=[f"true: {folder}"],
            path=f"{path} · {prepared}",
        )

    chosen = [np.flatnonzero(anywhere & (found.members == at)) for at in range(len(meant))]
    return render(
        "labelled.html",
        name=found.labelled.name,
        pictures=len(found),
        rejected=found.rejected,
        models=[_model(name, one) for name, one in results.items()],
        folders=[
            _folder(one, positions, results, card)
            for one, positions in zip(meant, chosen, strict=True)
            if len(positions)
        ],
    )


def _model(name: str, result: FolderEvaluation) -> dict[str, Any]:
    asked = ["called unknown"] if result.unknown is not None else []
    rows = []
    for one in result.folders:
        recall = f"{one.right / one.images:.1%}" if one.right is not None and one.images else "–"
        unknown = [] if one.unknown is None else [f"{one.unknown:,}"]
        labels = [(label in one.classes, one.labels.get(label, 0)) for label in result.given]
        rows.append({"folder": one.folder, "cells": [recall, *unknown], "labels": labels})
    return {
        "name": name,
        "numbers": {
            "accuracy": f"{result.accuracy:.1%}",
            "mean over folders": f"{result.macro_accuracy:.1%}",
            "pictures": f"{result.images:,}",
        },
        "unknown": unknown_words(result),
        "heads": ["folder", "right label", *asked, *result.given],
        "rows": rows,
    }


def _folder(
    one: FolderResult,
    chosen: npt.NDArray[np.intp],
    results: Mapping[str, FolderEvaluation],
    card: Callable[[int, str], Card],
) -> dict[str, Any]:
    # The surest mistakes first: they say most.
    sure = np.max([np.where(r.wrong, r.confidence, 0)[chosen] for r in results.values()], axis=0)
    order = chosen[np.argsort(-sure, kind="stable")][:_EACH].tolist()
    means = " or ".join(one.classes) or UNKNOWN
    labelled = [result.wrong & ~result.is_unknown for result in results.values()]
    mislabelled = np.any(labelled, axis=0)[chosen]
    counts = {"wrong": int(mislabelled.sum()), "called unknown": int((~mislabelled).sum())}
    cut = f"; the {_EACH} surest mistakes" if len(chosen) > _EACH else ""
    return {
        "name": one.folder,
        "wrong": ", ".join(f"{n:,} {what}" for what, n in counts.items() if n),
        "images": one.images,
        "right": f"right would be: {means}{cut}",
        "first": (card(position, one.folder) for position in order[:_AT_ONCE]),
        "more": (card(position, one.folder) for position in order[_AT_ONCE:]),
        "others": len(order[_AT_ONCE:]),
    }


def _verdicts(position: int, results: Mapping[str, FolderEvaluation]) -> list[tuple[str, str]]:
    """What the models that are wrong say of a picture, and how surely."""
    verdicts = []
    for model, result in results.items():
        if result.wrong[position]:
            label = result.class_names[int(result.predicted[position])]
            words = f"{UNKNOWN} ({label})" if result.is_unknown[position] else label
            name = f"{model}: " if len(results) > 1 else ""
            verdicts.append((f"{name}{words}", f"{float(result.confidence[position]):.1%}"))
    return verdicts
