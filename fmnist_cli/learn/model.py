"""The file of a learned model: a known graph up to its features, a new head; and its memory.

Beside ``mine.onnx`` lies ``mine.learned.npz``: features and labels of what it learned from, so
that more can be learned without the pictures.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

from fmnist_cli import __version__
from fmnist_cli.contract import (
    EMBEDDING_NAME,
    INPUT_NAME,
    NOVELTY_NAME,
    OUTPUT_NAME,
    ModelCard,
)
from fmnist_cli.errors import ModelError, VerificationError
from fmnist_cli.export.graph import canonical, serialize
from fmnist_cli.files import write_bytes, writing
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.ood import SHARES
from fmnist_cli.inference.session import Session
from fmnist_cli.learn.head import Head, Held
from fmnist_cli.learn.pictures import Examples

_MEMORY = ".learned.npz"
PRESET = "learn"  # in the card of a learned model
_ATOL = 1e-4  # of a probability; float32 against float64


def _graph(base: ModelFile, head: Head) -> onnx.ModelProto:
    """Pixels → probabilities, novelty and embedding, on the features of `base`."""
    model = Extractor(onnx.load_from_string(base.content)).extract_model(
        [INPUT_NAME], [EMBEDDING_NAME]
    )
    # One more row, for none of the classes, as the network has that features are from.
    weight = np.pad(head.weight, ((0, 1), (0, 0)))
    constants = {
        "own_weight": weight.astype(np.float32),
        "own_bias": np.append(head.bias, 0).astype(np.float32),
        "own_twice": (2 * head.centers).astype(np.float32),
        "own_lengths": -(head.centers**2).sum(axis=1).astype(np.float32),
        "own_first": np.array([0]),
        "own_last": np.array([len(head.bias)]),
        "own_axis": np.array([1]),
    }
    node, value, features = helper.make_node, helper.make_tensor_value_info, EMBEDDING_NAME
    graph = model.graph
    graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items())
    graph.node.extend(
        [
            node("Gemm", [features, "own_weight", "own_bias"], ["own_all"], transB=1),
            node("Slice", ["own_all", "own_first", "own_last", "own_axis"], ["own_known"]),
            node("Softmax", ["own_known"], [OUTPUT_NAME], axis=-1),
            node("Gemm", [features, "own_twice", "own_lengths"], ["own_near"], transB=1),
            node("ReduceMax", ["own_near", "own_axis"], ["own_nearest"], keepdims=0),
            node("ReduceSumSquare", [features, "own_axis"], ["own_length"], keepdims=0),
            node("Sub", ["own_length", "own_nearest"], [NOVELTY_NAME]),
        ]
    )
    graph.output.append(value(OUTPUT_NAME, TensorProto.FLOAT, ["N", len(head.bias)]))
    graph.output.append(value(NOVELTY_NAME, TensorProto.FLOAT, ["N"]))
    return canonical(model)


def write(
    path: Path,
    base: ModelFile,
    head: Head,
    held: Held,
    class_names: Sequence[str],
    examples: Examples,
    temperature: float,
) -> None:
    """Write the model, and its memory beside it.

    Args:
        held: says how novel pictures are that were not learned from.
        temperature: that logits are divided by.

    Raises:
        VerificationError: the graph does not say what the head says; nothing is written.
        FmnistError: it cannot be written.
    """
    head = head._replace(weight=head.weight / temperature, bias=head.bias / temperature)
    limits = np.quantile(held.novelty, SHARES, method="higher").round(5).tolist()
    session = Session(base)
    card = ModelCard(
        name=path.stem,
        title="Own classes",
        version=__version__,
        class_names=tuple(class_names),
        data_checksum="",
        seed=0,
        preset=PRESET,
        test_accuracy=None,
        temperature=1.0,  # it is in the weights
        tolerance=_ATOL,
        input=session.spec,
        novelty_limits=dict(zip(map(str, SHARES), limits, strict=True)),
    )
    content = serialize(_graph(base, head), card)
    file = ModelFile.of(path.stem, path, content)
    noise = np.random.default_rng(0).integers(0, 256, (4, *session.spec.shape), np.uint8)
    said = Session(file).outputs(noise, embedding=True)
    assert said.embedding is not None  # noqa: S101
    expected = Held(head.logits(said.embedding), np.empty(4), 0).probabilities()
    difference = float(np.abs(expected - said.probabilities).max())
    if not difference <= _ATOL:
        raise VerificationError(
            f"{path}: the graph and its head differ by {difference:.1e}; it was not written"
        )
    memory = {**examples._asdict(), "embeddings": examples.embeddings.astype(np.float16)}
    buffer = io.BytesIO()
    np.savez(buffer, model=np.array(file.sha256), **memory)
    for target, data in ((path.with_suffix(_MEMORY), buffer.getvalue()), (path, content)):
        with writing(target):
            write_bytes(target, data)


def remembered(file: ModelFile) -> Examples:
    """What a model learned from.

    Raises:
        ModelError: that is not beside it, or belongs to another model.
    """
    path = file.path.with_suffix(_MEMORY)
    cure = f"learn from all pictures anew, without --add {file.path}"
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            if str(stored["model"]) != file.sha256:
                raise ModelError(f"{path} does not belong to {file.path}; {cure}")
            found = Examples(*(stored[name] for name in Examples._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(
            f"{path}, which holds what {file.path} learned from, cannot be read ({error}); {cure}"
        ) from error
    count = len(found.labels)
    if found.embeddings.ndim != 3 or {len(one) for one in found} != {count} or not count:
        raise ModelError(f"{path} is damaged; {cure}")
    return found._replace(embeddings=found.embeddings.astype(np.float32))
