"""The folder that `fmnist explain` writes, and the gallery file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fmnist_cli import __version__
from fmnist_cli.explain.explanation import Explainer, Explanation
from fmnist_cli.explain.page import page, triptych
from fmnist_cli.files import replace_file, write_text
from fmnist_cli.html.folder import PAGE, file_names
from fmnist_cli.rows import Rejected
from fmnist_cli.sinks.text import printable

FORMAT = 1
DATA = "explain.json"


def write_folder(
    out: Path,
    explainer: Explainer,
    title: str,
    explanations: Sequence[Explanation],
    rejected: Sequence[Rejected],
    command: str,
) -> None:
    """A PNG per picture, ``index.html`` with all of them, and ``explain.json``.

    Args:
        out: made when missing; files of the same names are replaced, others stay.
        explainer: what explained them.
        title: of its model, for people.
        explanations: of what could be read.
        rejected: what could not.
        command: that makes the same again.
    """
    names = file_names([explanation.subject.source for explanation in explanations])
    for explanation, name in zip(explanations, names, strict=True):
        caption, below = _captions(explanation, explainer)
        image = triptych(explanation.subject.pixels, explanation.heat, caption, below)
        replace_file(out / name, partial(image.save, format="PNG"))
    write_text(out / PAGE, "".join(page(explainer, title, explanations, names, rejected)))
    items = [
        {"file": name, **explanation.to_json()}
        for explanation, name in zip(explanations, names, strict=True)
    ]
    document = {
        **_asked(command),
        "model": _model(explainer),
        "method": explainer.method,
        "layer": explainer.layer,
        "items": items,
        "rejected": [row._asdict() for row in rejected],
    }
    write_json(out / DATA, document)


def gallery(
    explained: Mapping[str, tuple[Explainer, Sequence[Explanation]]], command: str
) -> dict[str, Any]:
    """Heat maps of several models in one document, without any pixels of the pictures.

    Args:
        explained: name of each model → what explained, and the explanations.
        command: that makes the same again.
    """
    items = [
        {
            "model": name,
            "method": explainer.method,
            "layer": explainer.layer,
            **{key: value for key, value in explanation.to_json().items() if key != "source"},
        }
        for name, (explainer, explanations) in explained.items()
        for explanation in explanations
    ]
    models = {name: _model(explainer)["sha256"] for name, (explainer, _) in explained.items()}
    return {**_asked(command), "models": models, "items": items}


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step; ASCII, since names of files need not be Unicode."""
    write_text(path, json.dumps(document, indent=1) + "\n")


def _asked(command: str) -> dict[str, Any]:
    return {"format": FORMAT, "command": command, "version": __version__}


def _model(explainer: Explainer) -> dict[str, str]:
    return {"name": explainer.file.name, "sha256": explainer.file.sha256}


def _captions(explanation: Explanation, explainer: Explainer) -> tuple[str, str]:
    subject = explanation.subject
    true = f"true: {explanation.true_name}   " if explanation.true_name else ""
    verdict = f"{true}predicted: {explanation.predicted_name}, {subject.confidence:.1%}"
    return verdict, (
        f"evidence for {explanation.target_name} · {explainer.file.name}"
        f" {explainer.method} {explainer.layer} · {printable(subject.source)}"
    )
