"""An exported model ready to run on ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from fmnist_cli.contract import INPUT_NAME, OUTPUT_NAME, SIDE, ModelCard, Pixels, Probabilities
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.runtime.store import ModelFile

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}


class Session:
    """A checked ONNX Runtime session: pixels in, probabilities out.

    One session may be called from several threads at once.

    Args:
        model: the file to run.
        threads: ONNX Runtime's threads within one call.
        provider: one of `PROVIDERS`.

    Attributes:
        card: the model card in the graph.

    Raises:
        ModelError: the file is no ONNX model or does not honour the contract.
        UsageError: the provider is unknown, or not really in use.
    """

    def __init__(self, model: ModelFile, threads: int = 1, provider: str = "cpu") -> None:
        wanted = _available(provider)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; they reach the user as exceptions
        try:
            self._session = ort.InferenceSession(model.content, options, providers=[wanted])
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise ModelError(f"{model.path} is not a usable ONNX model: {error}") from error
        # ONNX Runtime falls back to the CPU with no more than a line in its log.
        in_use = self._session.get_providers()
        if wanted not in in_use:
            raise UsageError(
                f"--provider {provider} did not start, ONNX Runtime fell back to"
                f" {', '.join(in_use)}; its libraries or the device are missing."
                " Use --provider cpu"
            )
        self._path = model.path
        self.card = _check_contract(self._session, model)

    def __call__(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, 28, 28] → float32 [N, classes], rows summing to 1.

        Raises:
            ModelError: the model gives NaN or infinity.
        """
        outputs = self._session.run([OUTPUT_NAME], {INPUT_NAME: pixels})
        probabilities = np.asarray(outputs[0], np.float32)
        if not np.isfinite(probabilities).all():
            raise ModelError(f"{self._path} gives values that are not finite; export it again")
        return probabilities

    def probabilities(self, pixels: Pixels, batch_size: int = 250) -> Probabilities:
        """As a call, but in batches, so that memory does not grow with N."""
        starts = range(0, len(pixels), batch_size)
        return np.concatenate([self(pixels[start : start + batch_size]) for start in starts])


def _available(provider: str) -> str:
    """ONNX Runtime's name for a provider that this installation has."""
    if provider not in PROVIDERS:
        raise UsageError(f"--provider {provider!r} is unknown; choose from {', '.join(PROVIDERS)}")
    available = ort.get_available_providers()
    if PROVIDERS[provider] not in available:
        has = ", ".join(name for name, full in PROVIDERS.items() if full in available)
        raise UsageError(
            f"--provider {provider}: the installed onnxruntime has only {has};"
            " install the build of onnxruntime that was made for it"
        )
    return PROVIDERS[provider]


def _check_contract(session: ort.InferenceSession, model: ModelFile) -> ModelCard:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    expected = f"{INPUT_NAME} uint8 [N, {SIDE}, {SIDE}] → {OUTPUT_NAME} float32 [N, classes]"
    if not (
        [i.name for i in inputs] == [INPUT_NAME]
        and [o.name for o in outputs] == [OUTPUT_NAME]
        and inputs[0].type == "tensor(uint8)"
        and outputs[0].type == "tensor(float)"
        and len(inputs[0].shape) == 3
        and inputs[0].shape[1:] == [SIDE, SIDE]
        and not isinstance(inputs[0].shape[0], int)
    ):
        found = [f"{n.name} {n.type} {n.shape}" for n in (*inputs, *outputs)]
        raise ModelError(
            f"{model.path} has another signature: {'; '.join(found)}."
            f" fmnist runs models with {expected}; make one with: fmnist export"
        )
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        card = ModelCard.from_metadata(metadata)
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{model.path} has no readable model card ({error}); make it with: fmnist export"
        ) from error
    columns = outputs[0].shape[-1]
    if isinstance(columns, int) and columns != len(card.class_names):
        raise ModelError(
            f"{model.path} has {columns} outputs, but its model card names"
            f" {len(card.class_names)} classes; make it again with: fmnist export"
        )
    return card
