"""The one way of a graph that ships: fitted → graph → calibrated → verified → in the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from fmnist_cli import __version__
from fmnist_cli.contract import ModelCard, Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import knows_fashion_mnist
from fmnist_cli.errors import ModelError, VerificationError
from fmnist_cli.export.calibrate import (
    CROSS_VALIDATION,
    calibrate,
    draft_session,
    measure,
    measure_held,
    novelty_limits,
)
from fmnist_cli.export.convert import convert
from fmnist_cli.export.graph import Card, count_parameters, halved, serialize
from fmnist_cli.files import write_bytes, write_text
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest
from fmnist_cli.models.registry import REGISTRY, ModelSpec
from fmnist_cli.preprocess import from_frames
from fmnist_cli.training.picture_fit import Held, PicturesModel
from fmnist_cli.training.record import TrainingRecord, load_native

VERIFIED_IMAGES = 2000
HALVED_ATOL = 0.05  # of a probability, by weights that are stored in 16 bits
BATCH_SIZES = (1, 2, 33)
MIN_LABEL_AGREEMENT = 0.999
_CURVE_ATOL = 1e-5  # between curve in the graph, float32, and outside, float64

Outputs = npt.NDArray[np.float32]  # probabilities [N, classes], or novelty [N]


def export(
    spec: ModelSpec,
    run_dir: Path,
    out: Path,
    splits: Mapping[str, LabelledImages],
    *,
    verified_images: int = VERIFIED_IMAGES,
) -> Entry:
    """Write ``out/<name>.onnx``, calibrated, and ``out/<name>.json``, its learning curves.

    Args:
        out: folder of the models; a manifest is made if there is none.
        splits: ``"test"`` and ``"validation"``; the graph is verified on test images. If it knows
            their classes, it is calibrated on validation images and measured on both.
        verified_images: how many of the test images.

    Raises:
        ModelError: there is no finished run.
        VerificationError: the graph disagrees with the native model; nothing is written.
    """
    record = TrainingRecord.read(run_dir)
    if record.model != spec.name:
        raise ModelError(f"{run_dir} holds a run of {record.model!r}, not of {spec.name!r}")
    native = load_native(spec, run_dir)
    held = native.held if isinstance(native, PicturesModel) else None
    card = ModelCard(
        name=spec.name,
        title=spec.title,
        version=__version__,
        class_names=record.class_names,
        data_checksum=record.data_checksum,
        seed=record.seed,
        preset=record.preset,
        test_accuracy=None,
        temperature=record.temperature,
        tolerance=spec.atol,
        input=spec.input,
        novelty_limits={} if held is None else novelty_limits(held),
    )
    count = verified_images if held is None else verified_images // 10  # these take longer
    training = {k: v for k, v in asdict(record).items() if k not in ("model", "history")}
    shipped = _calibrated(
        convert(native),
        card,
        splits,
        training,
        from_frames(splits["test"].pixels[:count], spec.input),
        native=native.probabilities,
        held=held,
    )
    entry = write_graph(out, spec.name, **shipped, title=spec.title, training=training)
    write_text(out / f"{spec.name}.json", record.to_json())
    return entry


def recalibrate(file: ModelFile, out: Path, splits: Mapping[str, LabelledImages]) -> Entry:
    """Calibrate an exported file anew, write it into `out` and note it there.

    Args:
        file: of a folder with a manifest.
        splits: ``"validation"`` to fit on, and ``"test"``; metrics are measured on both.

    Raises:
        ModelError: the file has no manifest entry, or knows other classes.
        VerificationError: the graph does not say what its curve says; nothing is written.
    """
    if file.entry is None:
        raise ModelError(f"{file.path} has no entry in a manifest; give the name of a model")
    card = Session(file).card
    if CROSS_VALIDATION in file.entry.metrics:
        raise ModelError(
            f"{file.path} was calibrated by cross-validation when it was trained; train it again"
        )
    if not knows_fashion_mnist(card.class_names):
        raise ModelError(
            f"{file.path} knows other classes than Fashion-MNIST, whose validation images it would"
            " be calibrated on"
        )
    if file.name in REGISTRY:
        card = card._replace(tolerance=REGISTRY[file.name].atol)
    shipped = _calibrated(
        onnx.load_from_string(file.content),
        card,
        splits,
        file.entry.training,
        splits["test"].pixels[:VERIFIED_IMAGES],
    )
    # What its native model was compared with stays true.
    shipped["verification"] = file.entry.verification
    return write_graph(
        out, file.name, **shipped, title=file.entry.title, training=file.entry.training
    )


def _calibrated(
    graph: onnx.ModelProto,
    card: ModelCard,
    splits: Mapping[str, LabelledImages],
    training: Mapping[str, Any],
    pixels: Pixels,
    *,
    native: Callable[[Pixels], Probabilities] | None = None,
    held: Held | None = None,
) -> dict[str, Any]:
    """A calibrated, verified and measured graph, as arguments of `write_graph`.

    Args:
        card: its card, but for the accuracy.
        native: what it is verified against; the graph without its curve by default.
        held: what cross-validation says, of a model of pictures; its weights are stored in 16 bits.
    """
    made = calibrate(graph, card, splits["validation"] if held is None else held)
    session = draft_session(made.graph, card)

    def expected(pixels: Pixels) -> Probabilities:
        said = (native or made.before.probabilities)(pixels)
        return said if made.curve is None else made.curve(said)

    atol = card.tolerance if native else _CURVE_ATOL
    verification = verify(card.name, expected, session.probabilities, pixels, atol)
    graph, metrics = made.graph, {}
    if held is not None:
        graph = halved(graph)
        _check_halved(card.name, session, draft_session(graph, card), pixels)
        metrics = {CROSS_VALIDATION: measure_held(held, made.curve)}
    elif knows_fashion_mnist(card.class_names):
        metrics = {name: measure(session, images) for name, images in splits.items()}
        if card.name in REGISTRY and REGISTRY[card.name].framework == "stack":
            # It was fitted on the validation images, so only cross-validation, before the curve,
            # says how good it is.
            for figure in ("accuracy", "loss"):
                metrics["validation"][figure] = round(training[f"validation_{figure}"], 6)
    # The card holds the accuracy of the graph it sits in, so the graph ran without it first.
    accuracy = metrics["test"]["accuracy"] if "test" in metrics else None
    return {
        "graph": graph,
        "card": card._replace(test_accuracy=accuracy),
        "metrics": metrics,
        "verification": asdict(verification),
        "calibration": made.provenance,
    }


def write_graph(
    out: Path,
    name: str,
    graph: onnx.ModelProto,
    card: Card,
    *,
    part: bool = False,
    **facts: Any,
) -> Entry:
    """Write ``out/<name>.onnx`` and note it in the manifest there, made if there is none.

    Args:
        part: whether it is no model but helps them all.
        facts: what else `Entry` holds.

    Raises:
        ModelError: the manifest there is damaged; nothing is written.
    """
    content = serialize(graph, card)
    entry = Entry(
        file=f"{name}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=count_parameters(graph),
        card=card.to_metadata(),
        **facts,
    )
    manifest = with_entry(out, name, entry, part=part)
    write_bytes(out / entry.file, content)
    write_text(out / MANIFEST_FILE, manifest.to_json())
    return entry


def with_entry(out: Path, name: str, entry: Entry, *, part: bool = False) -> Manifest:
    """The folder's manifest with one model, or part, more; models in registry order."""
    earlier = Manifest.read(out) if (out / MANIFEST_FILE).exists() else Manifest({})
    if part:
        return earlier._replace(parts={**earlier.parts, name: entry})
    known = {**earlier.models, name: entry}
    order = [n for n in REGISTRY if n in known] + [n for n in known if n not in REGISTRY]
    return Manifest({n: known[n] for n in order}, earlier.parts)


@dataclass(frozen=True, slots=True)
class Verification:
    """How an exported graph compares with its native model.

    Attributes:
        images: number of test images compared.
        label_agreement: share of images with the same most probable class; of novelties 1.
        max_difference: largest ``|native - ONNX|`` over all outputs.
        batch_sizes: batch sizes run besides the full one.
    """

    images: int
    label_agreement: float
    max_difference: float
    batch_sizes: tuple[int, ...] = BATCH_SIZES


def verify(
    name: str,
    native: Callable[[Pixels], Outputs],
    exported: Callable[[Pixels], Outputs],
    pixels: Pixels,
    atol: float,
) -> Verification:
    """Decide whether a graph may be written: it must agree with the native model.

    Args:
        native: uint8 [N, …] → probabilities float32 [N, classes], or novelty float32 [N].
        exported: the same through ONNX Runtime.
        pixels: uint8 [N, …], N at least 33.
        atol: largest difference allowed in any number.

    Raises:
        VerificationError: the labels or numbers differ too much, rows of probabilities are no
            distributions, or a batch size gives another result.
    """
    if len(pixels) < max(BATCH_SIZES):
        raise VerificationError(
            f"{name}: {len(pixels)} test images are too few to verify a graph,"
            f" {max(BATCH_SIZES)} are needed; it was not written"
        )
    expected = native(pixels)
    actual = exported(pixels)
    if actual.shape != expected.shape or actual.dtype != np.float32:
        raise VerificationError(
            f"{name}: the graph gives {actual.dtype} {actual.shape},"
            f" the native model {expected.shape}; the graph was not written"
        )
    agreement = 1.0
    if actual.ndim == 2:
        if not np.allclose(actual.sum(axis=1), 1, atol=1e-4) or not actual.min() >= 0:
            raise VerificationError(
                f"{name}: the graph's rows are no probability distributions; it was not written"
            )
        agreement = float(np.mean(expected.argmax(axis=1) == actual.argmax(axis=1)))
    difference = float(np.abs(expected - actual).max())
    if agreement < MIN_LABEL_AGREEMENT or not difference <= atol:  # not: NaN fails, too
        raise VerificationError(
            f"{name}: the exported graph disagrees with the native model on {len(pixels)} test"
            f" images: labels equal {agreement:.2%} (at least {MIN_LABEL_AGREEMENT:.1%} needed),"
            f" largest difference {difference:.2e} (at most {atol:.0e}); it was not written"
        )
    for size in BATCH_SIZES:
        if not np.allclose(exported(pixels[:size]), expected[:size], rtol=0, atol=atol):
            raise VerificationError(
                f"{name}: the graph gives another result for a batch of {size}; it was not written"
            )
    return Verification(len(pixels), agreement, difference)


def _check_halved(name: str, whole: Session, half: Session, pixels: Pixels) -> None:
    """Whether weights stored in 16 bits say the same.

    Raises:
        VerificationError: they do not.
    """
    difference = float(np.abs(whole.probabilities(pixels) - half.probabilities(pixels)).max())
    if not difference <= HALVED_ATOL:
        raise VerificationError(
            f"{name}: with weights in 16 bits probabilities differ by {difference:.1e}, at most"
            f" {HALVED_ATOL} are allowed; it was not written"
        )
