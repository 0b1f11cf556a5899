"""From a finished run folder to a verified graph and its entry in the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx

from fmnist_cli import __version__
from fmnist_cli.calibration.curve import behind
from fmnist_cli.contract import ModelCard, knows_fashion_mnist
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.errors import ModelError
from fmnist_cli.export.calibrate import calibrate, draft_session, held_out, measure
from fmnist_cli.export.graph import count_parameters, serialize
from fmnist_cli.export.verify import verify
from fmnist_cli.files import replace_file, write_text
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest
from fmnist_cli.models.registry import REGISTRY, ModelSpec
from fmnist_cli.training.frameworks import load_native
from fmnist_cli.training.native import NativeModel, SklearnModel, StackModel, TorchModel
from fmnist_cli.training.record import TrainingRecord

VERIFIED_IMAGES = 2000


def convert(native: NativeModel) -> onnx.ModelProto:
    """The graph of a native model; the one place that chooses an exporter."""
    if isinstance(native, TorchModel):
        from fmnist_cli.export.torch_export import convert_torch

        return convert_torch(native.network)
    if isinstance(native, SklearnModel):
        from fmnist_cli.export.sklearn_export import convert_sklearn_pipeline

        return convert_sklearn_pipeline(native.pipeline)
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
        )

    # The card holds the accuracy of the graph it sits in, so the graph runs once without it.
    made = calibrate(convert(native), card(None), splits["validation"])
    session = draft_session(made.graph, card(None))
    verification = verify(
        spec.name,
        behind(native.probabilities, made.curve),
        session.probabilities,
        splits["test"].pixels[:verified_images],
        spec.atol,
    )
    measured = splits if knows_fashion_mnist(record.class_names) else {}
    metrics = {name: measure(session, images) for name, images in measured.items()}
    if spec.framework == "stack" and metrics:
        metrics["validation"] |= held_out(asdict(record))
    content = serialize(made.graph, card(metrics["test"]["accuracy"] if metrics else None))
    replace_file(path, lambda partial: partial.write_bytes(content))
    write_text(out / f"{spec.name}.json", record.to_json())
    return Entry(
        file=path.name,
        title=spec.title,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        parameters=count_parameters(made.graph),
        metrics=metrics,
        verification=asdict(verification),
        training=_training_summary(record),
        calibration=made.provenance,
    )


def update_manifest(out: Path, name: str, entry: Entry) -> Manifest:
    """Put one entry into the folder's manifest, models in registry order."""
    earlier = Manifest.read(out) if (out / MANIFEST_FILE).exists() else Manifest({})
    known = {**earlier.models, name: entry}
    order = [n for n in REGISTRY if n in known] + [n for n in known if n not in REGISTRY]
    manifest = Manifest({n: known[n] for n in order}, earlier.parts)
    write_text(out / MANIFEST_FILE, manifest.to_json())
    return manifest
