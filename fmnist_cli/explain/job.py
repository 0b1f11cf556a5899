"""The work behind `fmnist explain`: pictures → a folder, or the file of maps."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
from PIL import Image

from fmnist_cli import __version__
from fmnist_cli.contract import Pixels, Rejected, printable
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, Split, of_data_set
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.errors import FmnistError, ModelError
from fmnist_cli.explain.explanation import (
    Explainer,
    Explanation,
    Heat,
    Subject,
    class_id,
    from_items,
    from_split,
    one_per_class,
    parse_target,
)
from fmnist_cli.files import check_folder, write_text
from fmnist_cli.html.contact_sheet import (
    Card,
    Shown,
    data_uri,
    heat_colors,
    in_color,
    pixels_of,
    under_heat,
)
from fmnist_cli.html.folder import file_names, panels, write
from fmnist_cli.html.page import SPACE
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import available_cores
from fmnist_cli.preprocess import check_mode
from fmnist_cli.sources import Inputs, check_beside, outside

FORMAT = 1
DATA = "explain.json"
MODELS = ("cnn", "resnet")  # the shipped networks with convolutions
_SHOWN_REASONS = 20
FROM_SPLIT = 20  # images of a split, where nobody said how many


class Chosen(NamedTuple):
    """Which pictures are explained, in the words of the options; `place` is --index."""

    inputs: tuple[str, ...]
    prepare: str
    split: str | None
    label: str | None
    wrong_only: bool
    place: int | None
    limit: int | None
    data_dir: Path | None

    def words(self) -> list[str]:
        """The options, without folders of this machine."""
        words = [Path(name).name or name for name in self.inputs]
        words += [] if self.prepare == "auto" else ["--prepare", self.prepare]
        words += ["--split", self.split] if self.split else []
        words += ["--class", self.label] if self.label else []
        words += ["--wrong-only"] if self.wrong_only else []
        words += [] if self.place is None else ["--index", str(self.place)]
        return words + ([] if self.limit is None else ["--limit", str(self.limit)])


def explain_pictures(
    chosen: Chosen,
    out: Path,
    force: bool,
    model: str,
    method: str,
    layer: str,
    target: str,
    models_dir: Path | None,
    say: Callable[[str], None],
) -> int:
    """Write the folder, and `say` what was done; how many inputs were rejected."""
    check_folder(out, force=force)
    explainer, session = open_explainer(
        model, method, layer, models_dir, on_data_set=chosen.split is not None
    )
    check_mode(chosen.prepare, session.spec)
    wanted = parse_target(target, explainer.class_names)
    subjects, rejected = _subjects(chosen, session, out)
    if not subjects and not rejected:
        raise FmnistError(
            f"no pictures found in {', '.join(chosen.inputs)}."
            " Pictures are recognised by suffix or content; hidden files are not read"
        )
    explanations = explainer.explain(subjects, wanted)
    words = [*chosen.words(), "--model", Path(model).name, "--method", method]
    words += ["--layer", explainer.layer, "--target", target]
    command = shlex.join(["fmnist", "explain", *words])
    write_folder(out, explainer, explanations, rejected, command)
    for row in rejected[:_SHOWN_REASONS]:
        say(f"rejected: {printable(row.path)}: {printable(row.error)}")
    if len(rejected) > _SHOWN_REASONS:
        say(f"… and {len(rejected) - _SHOWN_REASONS:,} more; all are in explain.json")
    refused = f", {len(rejected):,} rejected" if rejected else ""
    say(f"{len(explanations):,} explained by {method} at {explainer.layer}{refused}")
    return len(rejected)


def write_maps(
    path: Path,
    models: Sequence[str] | None,
    method: str,
    layer: str,
    data_dir: Path | None,
    models_dir: Path | None,
    say: Callable[[str], None],
) -> None:
    """Write maps of a right and a wrong test image per class and model, as one JSON file."""
    images = load_split("test", data_dir)
    checksums, maps = {}, {}
    for model in models or MODELS:
        explainer, session = open_explainer(model, method, layer, models_dir)
        subjects = one_per_class(images, "test", session.probabilities(images.pixels))
        name = explainer.file.name
        checksums[name] = explainer.file.sha256
        shared = {"model": name, "method": explainer.method, "layer": explainer.layer}
        maps[name] = [{**shared, **one.to_json()} for one in explainer.explain(subjects)]
        say(f"{name}: {len(subjects)} explained by {method} at {explainer.layer}")
    words = [word for one in models or () for word in ("--model", Path(one).name)]
    words = ["fmnist", "explain", "--maps", path.name, *words, "--method", method, "--layer", layer]
    items = [one for of_model in maps.values() for one in of_model]
    for one in items:
        del one["source"]  # split and index say the same
    _write_json(path, shlex.join(words), models=checksums, items=items)


def open_explainer(
    model: str,
    method: str,
    layer: str,
    models_dir: Path | None,
    *,
    on_data_set: bool = True,
) -> tuple[Explainer, Session]:
    """A network and its session.

    Raises:
        UsageError: there is no such method or layer.
        ModelError: it is no network, or `on_data_set` and of other images or classes.
    """
    file = open_model(model, models_dir)
    session = Session(file, threads=available_cores())
    if on_data_set and not of_data_set(session.card):
        raise ModelError(
            f"{file.path} is for other images or classes than Fashion-MNIST's; explain pictures of"
            " your own"
        )
    return Explainer.of(file, session, method, layer), session


def _subjects(chosen: Chosen, session: Session, out: Path) -> tuple[list[Subject], list[Rejected]]:
    if chosen.split is None:
        source = Inputs(chosen.inputs, limit=chosen.limit).open()
        check_beside("-o", out, source.folders)
        items = outside(source, "-o", out)
        with libraries_quiet():
            how = Settings(mode=chosen.prepare)
            return from_items(items, session, how, session.spec)
    label = None if chosen.label is None else class_id(chosen.label, "--class", CLASS_NAMES)
    split = cast("Split", chosen.split)
    images: LabelledImages = load_split(split, chosen.data_dir)
    found = from_split(
        images,
        split,
        session.probabilities,
        class_id=label,
        wrong_only=chosen.wrong_only,
        index=chosen.place,
        limit=chosen.limit or FROM_SPLIT,
    )
    return found, []


def side_by_side(
    pixels: Pixels, heat: Heat, caption: str, below: str, original: Pixels | None = None
) -> Image.Image:
    """Original where there is one, picture, heat map and overlay, with two lines below."""
    parts = (
        *(() if original is None else [("original", in_color(original))]),
        ("as the model sees it", in_color(pixels)),
        ("heat map", heat_colors(heat)),
        ("both", under_heat(pixels, heat)),
    )
    return panels(parts, caption, below)


def write_folder(
    out: Path,
    explainer: Explainer,
    explanations: Sequence[Explanation],
    rejected: Sequence[Rejected],
    command: str,
) -> None:
    """A PNG per picture, ``index.html`` with all of them, and ``explain.json``.

    Args:
        out: made when missing; files of the same names are replaced, others stay.
        command: that makes the same again.
    """
    names = file_names([one.subject.source for one in explanations])
    members = dict(zip(names, explanations, strict=True))
    labelled = [one.subject for one in explanations if one.subject.true is not None]
    counts = {}
    if labelled:
        counts["of another class than predicted"] = sum(s.true != s.predicted for s in labelled)
    ramp = heat_colors(np.arange(256, dtype=np.uint8)[None])

    def draw(one: Explanation) -> Image.Image:
        caption, below = _captions(one, explainer)
        subject = one.subject
        return side_by_side(subject.pixels, one.heat, caption, below, subject.original)

    shared = {"method": explainer.method, "layer": explainer.layer}
    write(
        out,
        members,
        draw,
        _card,
        rejected,
        "explain.html",
        counts,
        model=explainer.file.name,
        ramp=pixels_of(ramp, "scale of colours from dark blue to yellow", "colors"),
        **shared,
    )
    items = [{"file": name, **one.to_json()} for name, one in members.items()]
    refused = [row._asdict() for row in rejected]
    _write_json(
        out / DATA, command, model=_model(explainer), **shared, items=items, rejected=refused
    )


def _write_json(path: Path, command: str, **values: Any) -> None:
    """Replace a JSON file in one step; ASCII, since names of files need not be Unicode."""
    document = {"format": FORMAT, "command": command, "version": __version__, **values}
    write_text(path, json.dumps(document, indent=1) + "\n")


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


def _card(explanation: Explanation, name: str) -> Card:
    subject = explanation.subject
    source, target = subject.source, explanation.target_name
    pictures = (
        (in_color(subject.pixels), f"{source} as the model sees it"),
        (heat_colors(explanation.heat), f"heat map of {source}: evidence for {target}"),
        (under_heat(subject.pixels, explanation.heat), f"{source} under its heat map"),
    )
    height, width = explanation.heat.shape
    # Frames are shown by their pixels; of photos no pixel matters.
    kind: Literal["png", "webp"] = "png" if subject.pixels.ndim == 2 else "webp"
    true = f"true: {explanation.true_name} · " if explanation.true_name else ""
    shown = [Shown(data_uri(one, kind), alt, size=(width, height)) for one, alt in pictures]
    if subject.original is not None:
        shown.insert(0, Shown(data_uri(subject.original), f"{source}, the original"))
    return Card(
        shown,
        verdicts=[(explanation.predicted_name, f"{100 * subject.confidence:.1f}{SPACE}%")],
        notes=[f"{true}evidence for: {target}"],
        path=f"{source} · {name}",
    )
