"""The work behind `fmnist explain`: pictures, the gallery file, or the measurements."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from fmnist_cli import __version__
from fmnist_cli.cores import available_cores
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, of_data_set
from fmnist_cli.data.files import Split
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.errors import FmnistError, ModelError
from fmnist_cli.explain.explanation import Explainer, class_id, parse_target
from fmnist_cli.explain.measure import measure as measured
from fmnist_cli.explain.measure import settings
from fmnist_cli.explain.output import gallery, write_folder, write_json
from fmnist_cli.explain.subjects import Subject, from_items, from_split, one_per_class
from fmnist_cli.html.folder import check_folder
from fmnist_cli.inference.classifier import Settings
from fmnist_cli.inference.session import Session
from fmnist_cli.inference.store import open_model
from fmnist_cli.machine import Machine
from fmnist_cli.preprocess import check_mode
from fmnist_cli.rows import Rejected
from fmnist_cli.sinks.text import printable
from fmnist_cli.sources.request import Inputs

_MODELS = ("cnn", "resnet")  # the shipped networks with convolutions
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


class Out(NamedTuple):
    """Where the results go, and whether that may hold something already."""

    folder: Path
    force: bool


def explain_pictures(
    chosen: Chosen,
    out: Out,
    model: str,
    method: str,
    layer: str,
    target: str,
    models_dir: Path | None,
) -> int:
    """Write the folder; how many inputs were rejected."""
    check_folder(out.folder, force=out.force)
    explainer, session = _open(
        model, method, layer, models_dir, on_data_set=chosen.split is not None
    )
    check_mode(chosen.prepare, session.spec)
    wanted = parse_target(target, explainer.class_names)
    subjects, rejected = _subjects(chosen, session)
    if not subjects and not rejected:
        raise FmnistError(
            f"no pictures found in {', '.join(chosen.inputs)}."
            " Pictures are told by suffix or content; hidden files are left alone"
        )
    explanations = explainer.explain(subjects, wanted)
    words = [*chosen.words(), "--model", Path(model).name, "--method", method]
    words += ["--layer", explainer.layer, "--target", target]
    command = shlex.join(["fmnist", "explain", *words])
    write_folder(out.folder, explainer, session.card.title, explanations, rejected, command)
    for row in rejected[:_SHOWN_REASONS]:
        _say(f"rejected: {printable(row.path)}: {printable(row.error)}")
    if len(rejected) > _SHOWN_REASONS:
        _say(f"… and {len(rejected) - _SHOWN_REASONS:,} more; all are in explain.json")
    refused = f", {len(rejected):,} rejected" if rejected else ""
    _say(f"{len(explanations):,} explained by {method} at {explainer.layer}{refused}")
    sys.stdout.write(f"{out.folder}\n")
    return len(rejected)


def write_gallery(
    path: Path,
    models: Sequence[str] | None,
    method: str,
    layer: str,
    data_dir: Path | None,
    models_dir: Path | None,
) -> None:
    """Write maps of a right and a wrong test image per class and model, as one JSON file."""
    images = load_split("test", data_dir)
    explained = {}
    for model in models or _MODELS:
        explainer, session = _open(model, method, layer, models_dir)
        subjects = one_per_class(images, "test", session.probabilities(images.pixels))
        explained[explainer.file.name] = (explainer, explainer.explain(subjects))
        _say(f"{explainer.file.name}: {len(subjects)} explained by {method} at {explainer.layer}")
    words = ["fmnist", "explain", "--gallery", path.name, *_chosen_words(models, method, layer)]
    write_json(path, gallery(explained, shlex.join(words)))


def measure(
    models: Sequence[str] | None,
    method: str,
    layer: str,
    count: int,
    seed: int,
    json_: str | None,
    data_dir: Path | None,
    models_dir: Path | None,
) -> None:
    """Measure all methods at one layer on test images; print a table, and write the figures."""
    images = load_split("test", data_dir)
    count = min(count, len(images))
    drawn = np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
    results: dict[str, Any] = {}
    for model in models or _MODELS:
        explainer, session = _open(model, method, layer, models_dir)
        found = measured(
            explainer.classifier,
            session.probabilities,
            images.pixels[drawn],
            method,
            explainer.layer,
            partial(_step, explainer.file.name),
        )
        results[explainer.file.name] = {"sha256": explainer.file.sha256, **found}
    words = [*_chosen_words(models, method, layer), "--images", str(count), "--seed", str(seed)]
    document = {
        "format": 1,
        "command": shlex.join(["fmnist", "explain", "--faithfulness", *words]),
        "split": "test",
        "method": method,
        **settings(count, seed),
        "machine": asdict(Machine.current()),
        "versions": {
            "fmnist-cli": __version__,
            **{name: version(name) for name in ("captum", "torch", "onnxruntime", "numpy")},
        },
        "models": results,
    }
    if json_ == "-":
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    for name, result in results.items():
        sys.stdout.write(faithfulness_text(name, method, result) + "\n")
    if json_ is not None:
        write_json(Path(json_), document)


_COLUMNS = {
    "insertion_blurred": "insertion ↑",
    "deletion_blurred": "deletion ↓",
    "insertion_black": "ins. black ↑",
    "deletion_black": "del. black ↓",
    "drop": "drop ↓",
    "increase": "increase ↑",
    "energy_inside": "inside ↑",
}


def faithfulness_text(name: str, method: str, result: Mapping[str, Any]) -> str:
    """A table of means with half the width of their intervals, and the verdicts."""
    lines = [f"{name} at {result['layer']}"]
    lines.append(f"{'':<12}" + "".join(f"{title:>14}" for title in _COLUMNS.values()))
    for kind in ("methods", "controls"):
        for one, found in result[kind].items():
            cells = (
                f"{found[m]['mean']:.3f} ± {(found[m]['high'] - found[m]['low']) / 2:.3f}"
                for m in _COLUMNS
            )
            lines.append(f"{one:<12}" + "".join(f"{cell:>14}" for cell in cells))
    for one, beaten in result["beats_controls"].items():
        lines.append(f"{one} is better, beyond the intervals, than: {', '.join(beaten) or 'none'}")
    sanity = result["sanity"]
    last, unrelated = sanity["scrambled"], sanity["unrelated"]
    lines.append(
        f"weights scrambled: {method} {'passes' if sanity['passed'] else 'FAILS'}; similar to the"
        f" first maps by {last['spearman']:.2f} (rank) and {last['ssim']:.2f} (SSIM), maps of"
        f" different pictures by {unrelated['spearman']:.2f} and {unrelated['ssim']:.2f}\n"
    )
    return "\n".join(lines)


def _open(
    model: str,
    method: str,
    layer: str,
    models_dir: Path | None,
    *,
    on_data_set: bool = True,
) -> tuple[Explainer, Session]:
    file = open_model(model, models_dir)
    session = Session(file, threads=available_cores())
    if on_data_set and not of_data_set(session.card):
        raise ModelError(
            f"{file.path} is for other images or classes than Fashion-MNIST's; explain pictures of"
            " your own"
        )
    return Explainer.of(file, session, method, layer), session


def _subjects(chosen: Chosen, session: Session) -> tuple[list[Subject], list[Rejected]]:
    if chosen.split is None:
        items = Inputs(chosen.inputs, limit=chosen.limit).open()
        with libraries_quiet():
            how = Settings(mode=chosen.prepare)
            return from_items(items, session, session.card.class_names, how, session.spec)
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


def _chosen_words(models: Sequence[str] | None, method: str, layer: str) -> list[str]:
    words = [word for one in models or () for word in ("--model", Path(one).name)]
    return [*words, "--method", method, "--layer", layer]


def _step(model: str, step: str) -> None:
    _say(f"{model}: {step}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
