"""Whether every exported graph says the same in other runtimes.

Run: python benchmarks/portability.py [--photos FOLDER]

What ONNX Runtime says of pictures is compared with what these say:

    reference   the evaluator of the package onnx, plain numpy: what the standard means; it is slow,
                so it gets the first `SLOW` pictures only
    node        onnxruntime-node, where node and npm are; npm puts it into the user's cache
    openvino    the package openvino, in float32 (it would use bfloat16 where the processor can)

Frames are test images of Fashion-MNIST, pictures for `photo` those of FOLDER/validation, or else
the sample pictures of this repository.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_one_hot
from platformdirs import user_cache_path

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME, InputSpec, ModelCard, Pixels
from fmnist_cli.data.dataset import load_split
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import open_labelled

ROOT = Path(__file__).resolve().parents[1]
EXPORTED = ROOT / "exported"
RESULTS = ROOT / "benchmarks" / "results" / "portability.json"
SAMPLES = ROOT / "data" / "samples"
NODE_VERSION = "1.30.0"
FRAMES, PHOTOS, SLOW = 1000, 100, 10

Outputs = dict[str, npt.NDArray[np.float32]]  # name → [N, …]


class Task(NamedTuple):
    """A graph, and the pictures that it gets: uint8 [N, *shape]."""

    file: Path
    pixels: Pixels


class MissingRuntimeError(Exception):
    """A runtime that is not there, and why."""


def in_onnxruntime(task: Task) -> Outputs:
    """What ONNX Runtime says: the measure for the others."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(task.file, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {INPUT_NAME: task.pixels}), strict=True))


class OneHot(OpRun):
    """The evaluator's own, for a depth of rank 1 as well, which `knn` has.

    The standard allows it; the evaluator fails on it with numpy 2.4.
    """

    def _run(self, indices: Any, depth: Any, values: Any, axis: int) -> tuple[Any]:
        return op_one_hot.OneHot._run(self, indices, np.reshape(depth, ()), values, axis)


def in_reference(task: Task) -> Outputs:
    """What the reference evaluator says of the first few."""
    evaluator = ReferenceEvaluator(onnx.load(task.file), new_ops=[OneHot])
    values = evaluator.run(None, {INPUT_NAME: task.pixels[:SLOW]})
    return dict(zip(evaluator.output_names, values, strict=True))


def in_openvino(task: Task) -> Outputs:
    """What OpenVINO says.

    Raises:
        MissingRuntimeError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # sends nothing
    try:
        import openvino
    except ImportError:
        raise MissingRuntimeError("the package openvino is not installed") from None
    model = openvino.compile_model(task.file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = model({INPUT_NAME: task.pixels})
    return {output.any_name: np.asarray(found[output]) for output in model.outputs}


def node_folder() -> Path:
    """A folder with onnxruntime-node in it; it is installed there at the first time.

    Raises:
        MissingRuntimeError: there is no node, or no package to be had.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise MissingRuntimeError("node and npm are not there")
    folder = user_cache_path("fmnist") / f"onnxruntime-node-{NODE_VERSION}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        # Its script would fetch libraries for graphics cards; the package has those for processors.
        command = ["npm", "install", "--prefix", str(partial), "--ignore-scripts", "--no-audit"]
        done = subprocess.run(
            [*command, f"onnxruntime-node@{NODE_VERSION}"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise MissingRuntimeError(
                f"npm cannot install onnxruntime-node: {done.stderr.strip()[-300:]}"
            )
        partial.replace(folder)
    return folder


def in_node(tasks: Sequence[Task]) -> list[Outputs | str]:
    """What onnxruntime-node says of each task, or why it fails.

    Raises:
        MissingRuntimeError: it is not there.
    """
    script = node_folder() / "run_graphs.cjs"  # beside the package, where node looks for it
    shutil.copy(ROOT / "benchmarks" / "harness" / script.name, script)
    asked = [
        {
            "file": str(task.file),
            "dims": task.pixels.shape,
            "pixels": base64.b64encode(task.pixels.tobytes()).decode(),
        }
        for task in tasks
    ]
    done = subprocess.run(
        ["node", str(script)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return [
        answer["fails"]
        if "fails" in answer
        else {
            name: np.frombuffer(base64.b64decode(one["values"]), np.float32).reshape(one["dims"])
            for name, one in answer["outputs"].items()
        }
        for answer in json.loads(done.stdout)
    ]


def one_by_one(run: Callable[[Task], Outputs]) -> Callable[[Sequence[Task]], list[Outputs | str]]:
    """A runtime for several tasks, of which each may fail by itself."""

    def run_all(tasks: Sequence[Task]) -> list[Outputs | str]:
        found: list[Outputs | str] = []
        for task in tasks:
            try:
                found.append(run(task))
            except MissingRuntimeError:
                raise
            except Exception as error:  # whatever a runtime raises, it cannot run this graph
                found.append(str(error))
        return found

    return run_all


# Name → what it says of tasks.
RUNTIMES: Mapping[str, Callable[[Sequence[Task]], list[Outputs | str]]] = {
    "reference": one_by_one(in_reference),
    "node": in_node,
    "openvino": one_by_one(in_openvino),
}


def compared(expected: Outputs, found: Outputs | str) -> dict[str, Any]:
    """How far a runtime is from ONNX Runtime, over the pictures that it was given.

    Returns:
        ``images``; for each output the largest ``difference``, as a part of the largest value
        where that is above 1; ``same_labels`` where there are labels; ``fails`` with the reason
        instead, if it cannot run the graph.
    """
    if isinstance(found, str):
        return {"fails": " ".join(found.split())[:400]}
    count = len(next(iter(found.values())))
    if found.keys() != expected.keys():
        return {"fails": f"gives {', '.join(found)} instead of {', '.join(expected)}"}
    result: dict[str, Any] = {"images": count, "difference": {}}
    for name, value in found.items():
        if value.shape != expected[name][:count].shape:
            return {"fails": f"gives {name} of shape {list(value.shape)}"}
        wanted = expected[name][:count]
        largest = max(1.0, float(np.abs(wanted).max()))
        difference = float(np.abs(value - wanted).max()) / largest
        result["difference"][name] = float(f"{difference:.2g}")
    if OUTPUT_NAME in found:
        labels = [one[OUTPUT_NAME][:count].argmax(axis=1) for one in (found, expected)]
        result["same_labels"] = int((labels[0] == labels[1]).sum())
    return result


def tasks_of(frames: Pixels, photos: Pixels, folder: Path = EXPORTED) -> dict[str, Task]:
    """Every graph of a folder with the pictures that fit it, by name."""
    files = sorted(folder.glob("*.onnx"))
    shapes = {file: onnx.load(file).graph.input[0].type.tensor_type.shape.dim for file in files}
    return {
        file.stem: Task(file, photos if len(shape) == 4 else frames)
        for file, shape in shapes.items()
    }


def compare(
    tasks: Mapping[str, Task], runtimes: Sequence[str] = tuple(RUNTIMES)
) -> dict[str, dict[str, Any]]:
    """Runtime → graph → how far it is from ONNX Runtime, as `compared` says.

    Raises:
        MissingRuntimeError: a runtime is not there.
    """
    expected = {name: in_onnxruntime(task) for name, task in tasks.items()}
    return {
        runtime: {
            name: compared(expected[name], found)
            for name, found in zip(tasks, RUNTIMES[runtime]([*tasks.values()]), strict=True)
        }
        for runtime in runtimes
    }


def checksum(file: Path) -> str:
    """SHA-256 of a graph, by which results are known to be of it."""
    return sha256(file.read_bytes()).hexdigest()


def spec_of(file: Path) -> InputSpec:
    """What a graph wants."""
    metadata = onnx.load(file).metadata_props
    spec = ModelCard.from_metadata({one.key: one.value for one in metadata}).input
    assert spec is not None  # noqa: S101
    return spec


def pictures(folder: Path, spec: InputSpec, most: int) -> Pixels:
    """Pictures of class folders as a graph takes them, evenly chosen: uint8 [N, *spec.shape]."""
    pixels = LabelledPictures.read(open_labelled(folder, None), spec).pixels
    return pixels[:: -(-len(pixels) // most)]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="folder that has validation/ in it")
    folder = parser.parse_args().photos
    spec = spec_of(EXPORTED / "photo.onnx")
    photos = pictures(folder / "validation" if folder else SAMPLES, spec, PHOTOS)
    tasks = tasks_of(load_split("test").pixels[:FRAMES], photos)
    document = {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {
            "onnxruntime": version("onnxruntime"),
            "reference": version("onnx"),
            "node": NODE_VERSION,
            "openvino": _version("openvino"),
        },
        "graphs": {name: checksum(task.file) for name, task in tasks.items()},
        "runtimes": compare(tasks),
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
