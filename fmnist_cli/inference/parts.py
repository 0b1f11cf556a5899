"""Running a graph that helps all models, such as the one that finds garments in photos."""

from __future__ import annotations

import onnxruntime as ort

from fmnist_cli.errors import ModelError
from fmnist_cli.inference.store import ModelFile


def part_session(file: ModelFile, takes: str, gives: str) -> ort.InferenceSession:
    """A session on the processor, in one thread, as there are as many workers as cores.

    Args:
        file: the graph.
        takes: name of its only input, uint8.
        gives: name of its only output, float32.

    Raises:
        ModelError: the file is damaged, or no graph of this kind.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; they reach the user as exceptions
    try:
        session = ort.InferenceSession(file.content, options, ["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise ModelError(f"{file.path} is not a usable ONNX model: {error}") from error
    values = (*session.get_inputs(), *session.get_outputs())
    found = [(value.name, value.type) for value in values]
    if found != [(takes, "tensor(uint8)"), (gives, "tensor(float)")]:
        raise ModelError(f"{file.path} does not take {takes!r} and give {gives!r}")
    return session
