"""The native model behind an exported file, for measuring one against the other.

Networks are read back from the graph itself, so a clone without run folders has them. A
scikit-learn model or a stack is there only while its run is.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

from fmnist_cli.bench.run import NativeModel
from fmnist_cli.calibration.curve import behind
from fmnist_cli.calibration.graph import without_curve
from fmnist_cli.errors import ModelError
from fmnist_cli.inference.store import ModelFile
from fmnist_cli.models.registry import REGISTRY, ModelSpec
from fmnist_cli.training import record as runs
from fmnist_cli.training.record import RECORD_FILE, TrainingRecord, load_native
from fmnist_cli.training.restore import restore
from fmnist_cli.training.torch_fit import TorchModel

FRAMEWORKS = {
    "torch": "PyTorch",
    "pictures": "PyTorch",
    "sklearn": "scikit-learn",
    "stack": "PyTorch and scikit-learn",
}


def find_native(file: ModelFile, runs_dir: Path, threads: int) -> NativeModel:
    """The native model of an exported file.

    Args:
        file: a graph that a `Session` accepted.
        runs_dir: where finished runs may be.
        threads: of PyTorch; scikit-learn uses all cores.

    Raises:
        ModelError: there is none, or it is not the one that was exported; says why.
    """
    torch.set_num_threads(threads)
    spec = REGISTRY.get(file.name)
    if file.entry is not None and "recipe" not in file.entry.training:
        raise ModelError(f"the manifest beside {file.path} has no recipe; export the model again")
    if file.entry is None or spec is None or spec.framework in ("torch", "pictures"):
        return _calibrated(file, "torch", TorchModel(restore(file)))
    run_dir = runs_dir / spec.name
    if not (run_dir / RECORD_FILE).is_file():
        raise ModelError(
            f"there is no finished run in {runs_dir}, and only networks can be read back from"
            " their graphs; fmnist train and fmnist export make both sides"
        )
    _check_same_run(file, spec, TrainingRecord.read(run_dir), run_dir)
    return _calibrated(file, spec.framework, load_native(spec, run_dir))


def _calibrated(file: ModelFile, framework: str, model: runs.NativeModel) -> NativeModel:
    """The model behind the calibration curve at the end of the exported graph."""
    _, curve = without_curve(onnx.load_from_string(file.content))
    return NativeModel(FRAMEWORKS[framework], behind(model.probabilities, curve))


def _check_same_run(
    file: ModelFile, spec: ModelSpec, record: TrainingRecord, run_dir: Path
) -> None:
    """Whether a run is the one that a file was exported from, by what the manifest says.

    Raises:
        ModelError: it is not.
    """
    assert file.entry is not None  # noqa: S101
    exported = file.entry.training
    for field in ("finished", "seed", "preset", "validation_loss"):
        if exported.get(field) != getattr(record, field):
            raise ModelError(
                f"{run_dir} holds another run than the one that {file.path} was exported from"
                f" ({field} differs); run: fmnist export {spec.name}"
            )
