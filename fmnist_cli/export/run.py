"""From a finished run folder to a verified graph and its entry in the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from fmnist_cli import __version__
from fmnist_cli.calibration import behind
from fmnist_cli.contract import ModelCard, Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.data.fashion_mnist import knows_fashion_mnist
from fmnist_cli.errors import ModelError, VerificationError
from fmnist_cli.export.calibrate import (
    CROSS_VALIDATION,
    calibrate,
    draft_session,
    held_out,
    measure,
    measure_held,
    novelty_limits,
)
from fmnist_cli.export.graph import count_parameters, halved, serialize
from fmnist_cli.export.verify import verify
from fmnist_cli.files import replace_file, write_text
from fmnist_cli.inference.session import Session
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest
from fmnist_cli.models.registry import REGISTRY, ModelSpec
from fmnist_cli.preprocess import from_frames
from fmnist_cli.training.frameworks import load_native
from fmnist_cli.training.native import (
    ExportedModel,
    NativeModel,
    PicturesModel,
    SklearnModel,
    StackModel,
    TorchModel,
)
from fmnist_cli.training.record import TrainingRecord

VERIFIED_IMAGES = 2000
HALVED_ATOL = 0.05  # of a probability, by weights that are stored in 16 bits


def convert(native: NativeModel) -> onnx.ModelProto:
    """The graph of a native model; the one place that chooses an exporter."""
    if isinstance(native, TorchModel):
        from fmnist_cli.export.torch_export import convert_pictures, convert_torch

        if isinstance(native, PicturesModel):
            return convert_pictures(native.network)
        return convert_torch(native.network)
    if isinstance(native, SklearnModel):
        from fmnist_cli.export.sklearn_export import convert_sklearn_pipeline

        return convert_sklearn_pipeline(native.pipeline)
    if isinstance(native, ExportedModel):
        return onnx.load_from_string(native.file.content)
    if isinstance(native, StackModel):
        from fmnist_cli.export.stack_export import convert_stack

        return convert_stack([convert(member) for member in native.members], native.pool)
    raise TypeError(f"no exporter for {type(native).__name__}")


def _training_summary(record: TrainingRecord) -> dict[str, Any]:
    summary = asdict(record)
    for field in ("model", "history"):
        del summary[field]
    return summary


def export(
    spec: ModelSpec,
    run_dir: Path,
    out: Path,
    splits: Mapping[str, LabelledImages],
    *,
    verified_images: int = VERIFIED_IMAGES,
) -> Entry:
    """Write ``out/<name>.onnx``, calibrated, and ``out/<name>.json`` (its learning curves).

    Args:
        splits: ``"test"`` and ``"validation"``; the graph is verified on test images. If it knows
            their classes, it is calibrated on validation images and measured on both.

    Raises:
        ModelError: there is no finished run.
        VerificationError: the graph disagrees with the native model; nothing is written.
    """
    record = TrainingRecord.read(run_dir)
    if record.model != spec.name:
        raise ModelError(f"{run_dir} holds a run of {record.model!r}, not of {spec.name!r}")
    native = load_native(spec, run_dir)
    path = out / f"{spec.name}.onnx"

    held = native.held if isinstance(native, PicturesModel) else None

    def card(test_accuracy: float | None) -> ModelCard:
        return ModelCard(
            name=spec.name,
            title=spec.title,
            version=__version__,
            class_names=record.class_names,
            data_checksum=record.data_checksum,
            seed=record.seed,
            preset=record.preset,
            test_accuracy=test_accuracy,
            temperature=record.temperature,
            tolerance=spec.atol,
            input=spec.input,
            novelty_limits={} if held is None else novelty_limits(held),
        )

    # The card holds the accuracy of the graph it sits in, so the graph runs once without it.
    validation = splits["validation"] if held is None else held
    made = calibrate(convert(native), card(None), validation)
    session = draft_session(made.graph, card(None))
    count = verified_images if held is None else verified_images // 10  # these take longer
    pixels = from_frames(splits["test"].pixels[:count], spec.input)
    verification = verify(
        spec.name,
        behind(native.probabilities, made.curve),
        session.probabilities,
        pixels,
        spec.atol,
    )
    graph = made.graph
    if held is not None:
        graph = halved(graph)
        _check_halved(spec.name, session, draft_session(graph, card(None)), pixels)
        metrics = {CROSS_VALIDATION: measure_held(held, made.curve)}
    else:
        measured = splits if knows_fashion_mnist(record.class_names) else {}
        metrics = {name: measure(session, images) for name, images in measured.items()}
    if spec.framework == "stack" and metrics:
        metrics["validation"] |= held_out(asdict(record))
    final = card(metrics["test"]["accuracy"] if "test" in metrics else None)
    content = serialize(graph, final)
    replace_file(path, lambda partial: partial.write_bytes(content))
    write_text(out / f"{spec.name}.json", record.to_json())
    return Entry(
        file=path.name,
        title=spec.title,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=count_parameters(graph),
        metrics=metrics,
        verification=asdict(verification),
        training=_training_summary(record),
        calibration=made.provenance,
        card=final.to_metadata(),
    )


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


def update_manifest(out: Path, name: str, entry: Entry) -> Manifest:
    """Put one entry into the folder's manifest, models in registry order."""
    earlier = Manifest.read(out) if (out / MANIFEST_FILE).exists() else Manifest({})
    known = {**earlier.models, name: entry}
    order = [n for n in REGISTRY if n in known] + [n for n in known if n not in REGISTRY]
    manifest = Manifest({n: known[n] for n in order}, earlier.parts)
    write_text(out / MANIFEST_FILE, manifest.to_json())
    return manifest
