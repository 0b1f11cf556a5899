"""An exported model ready to run on ONNX Runtime."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort

from fmnist_cli.contract import (
    EMBEDDING_NAME,
    INPUT_NAME,
    NOVELTY_NAME,
    OUTPUT_NAME,
    Embeddings,
    InputSpec,
    ModelCard,
    Novelty,
    Pixels,
    Probabilities,
)
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.inference.models import Found, ModelFile, reopen
from fmnist_cli.manifest import MANIFEST_FILE
from fmnist_cli.preprocess import AUTO, check_spec

# Where ORT_DISABLE_TELEMETRY came too late, as a program had loaded it before, or means nothing, as
# to the telemetry of Windows.
ort.disable_telemetry_events()

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


# Bytes of pixels of one call, at most, where nobody says how many pictures: 250 frames, which are
# no faster in larger batches, and few enough photos that what lies between the layers stays small.
_AT_ONCE = 1 << 20
_MOST = 250


class Outputs(NamedTuple):
    """What a model says of N pictures.

    Attributes:
        probabilities: float32 [N, classes].
        novelty: float32 [N], larger is stranger; None if not asked for, or the model has none.
        embedding: float32 [N, D]; None if not asked for, or the model has none.
    """

    probabilities: Probabilities
    novelty: Novelty | None = None
    embedding: Embeddings | None = None


def batch_of(spec: InputSpec, most: int = _MOST) -> int:
    """How many pictures one call should have."""
    return max(2, min(most, _AT_ONCE // int(np.prod(spec.shape))))


class Session:
    """A checked ONNX Runtime session: pixels in, probabilities out.

    One session may be called from several threads at once.

    Args:
        model: the file to run.
        threads: ONNX Runtime's threads within one call.
        provider: one of `PROVIDERS`.

    Attributes:
        provider: as given.
        card: the model card in the graph; its `input` is there, also for models made by 0.1.
        spec: what the graph wants: the card's `input`.
        gives: names of the graph's outputs.

    Raises:
        ModelError: the file is no ONNX model or does not honour the contract.
        UsageError: the provider is unknown, or not really in use.
    """

    def __init__(self, model: ModelFile, threads: int = 1, provider: str = "cpu") -> None:
        wanted = provider_of(provider)
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
        self._built_of = model.address, threads, provider
        self.provider = provider
        self.card, self.spec = _check_contract(self._session, model.path)
        self.gives = frozenset(output.name for output in self._session.get_outputs())

    def __reduce__(self) -> tuple[Any, ...]:
        """Built again from its file, in another process."""
        return _session_of, self._built_of

    def in_one_thread(self) -> Session:
        """The same model without threads of its own, which would not survive forking."""
        address, threads, provider = self._built_of
        return self if threads == 1 else _session_of(address, 1, provider)

    def __call__(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, *spec.shape] → float32 [N, classes], rows summing to 1.

        Raises:
            ModelError: the model gives NaN or infinity.
        """
        return self.outputs(pixels).probabilities

    def outputs(self, pixels: Pixels, *, novelty: bool = False, embedding: bool = False) -> Outputs:
        """Probabilities, and of what else the model has only what is asked for.

        Args:
            pixels: uint8 [N, *spec.shape].
            novelty: whether that is wanted.
            embedding: whether that is wanted.

        Raises:
            ModelError: the model gives NaN or infinity.
        """
        asked = {NOVELTY_NAME: novelty, EMBEDDING_NAME: embedding}
        names = [name for name, wanted in asked.items() if wanted and name in self.gives]
        values = self._session.run([OUTPUT_NAME, *names], {INPUT_NAME: pixels})
        if not all(np.isfinite(value).all() for value in values):
            raise ModelError(f"{self._path} gives values that are not finite; export it again")
        return Outputs(values[0], **dict(zip(names, values[1:], strict=True)))

    def probabilities(self, pixels: Pixels, batch_size: int | None = None) -> Probabilities:
        """As a call, but in batches, so that memory does not grow with N."""
        step = batch_size or batch_of(self.spec)
        starts = range(0, len(pixels), step)
        return np.concatenate([self(pixels[start : start + step]) for start in starts])


def _session_of(address: tuple[Any, ...], threads: int, provider: str) -> Session:
    return Session(reopen(*address), threads, provider)


class LazySession:
    """As `Session`, but its file is read when the first pictures are there.

    It is made at the start of runs that may never need it, and worker processes load it each
    for themselves. Until then only its card is known, from the manifest. One thread runs it, as
    there are as many workers as cores. It may be called from several threads.

    Args:
        model: where it is.
        provider: one of `PROVIDERS`.

    Attributes:
        model: where it is.
        card, spec: as of `Session`.

    Raises:
        ModelError: the manifest has no readable card of it.
        UsageError: the provider is unknown.
    """

    def __init__(self, model: Found, provider: str = "cpu") -> None:
        self.model = model
        self._provider = provider
        self._session: Session | None = None
        self._loading = threading.Lock()
        provider_of(provider)
        known = model.entry.card
        card = None if known is None else _card(known, model.folder / MANIFEST_FILE)
        if card is None or card.input is None:  # made by 0.1
            self._session = self._open()
            self.card, self.spec = self._session.card, self._session.spec
        else:
            self.card, self.spec = card, card.input

    def __reduce__(self) -> tuple[Any, ...]:
        """Built again from its manifest's entry, in another process."""
        return LazySession, (self.model, self._provider)

    def outputs(self, pixels: Pixels, *, novelty: bool = False, embedding: bool = False) -> Outputs:
        """As `Session.outputs`.

        Raises:
            ModelError: also when the file, or its card, is not what the manifest says.
        """
        if self._session is None:
            with self._loading:
                self._session = self._session or self._checked()
        return self._session.outputs(pixels, novelty=novelty, embedding=embedding)

    def _open(self) -> Session:
        return Session(self.model.open(), 1, self._provider)

    def _checked(self) -> Session:
        session = self._open()
        if session.card != self.card:
            raise ModelError(
                f"the card in {self.model.path} is not the one in"
                f" {self.model.folder / MANIFEST_FILE}; export the model again"
            )
        return session


def provider_of(provider: str) -> str:
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


_KINDS = {OUTPUT_NAME: 2, NOVELTY_NAME: 1, EMBEDDING_NAME: 2}  # outputs and how many axes they have
_EXPECTED = (
    f"{INPUT_NAME} uint8 [N, height, width] or [N, height, width, 3]"
    f" → {OUTPUT_NAME} float32 [N, classes], and if need be {NOVELTY_NAME} float32 [N] and"
    f" {EMBEDDING_NAME} float32 [N, D]"
)


def _check_contract(session: ort.InferenceSession, path: Path) -> tuple[ModelCard, InputSpec]:
    """The card, its `input` filled in, and that."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    names = [output.name for output in outputs]
    if not (
        [value.name for value in inputs] == [INPUT_NAME]
        and OUTPUT_NAME in names
        and all(len(one.shape) == _KINDS.get(one.name) for one in outputs)
        and all(one.type == "tensor(float)" for one in outputs)
        and inputs[0].type == "tensor(uint8)"
        and not isinstance(inputs[0].shape[0], int)
        and (len(inputs[0].shape) == 3 or inputs[0].shape[3:] == [3])
        and all(isinstance(side, int) for side in inputs[0].shape[1:])
    ):
        found = [f"{value.name} {value.type} {value.shape}" for value in (*inputs, *outputs)]
        raise ModelError(
            f"{path} has another signature: {'; '.join(found)}."
            f" fmnist runs models with {_EXPECTED}; make one with: fmnist export"
        )
    shape = tuple(inputs[0].shape[1:])
    card = _card(session.get_modelmeta().custom_metadata_map, path)
    spec = card.input or InputSpec(shape[0], shape[1], "grey", AUTO)
    if spec.shape != shape:
        raise ModelError(
            f"{path} takes pixels of shape {list(shape)}, but its model card says"
            f" {list(spec.shape)}; make it again with: fmnist export"
        )
    try:
        check_spec(spec)
    except ValueError as error:
        raise ModelError(f"{path} cannot be used: {error}") from error
    columns = outputs[names.index(OUTPUT_NAME)].shape[-1]
    if isinstance(columns, int) and columns != len(card.class_names):
        raise ModelError(
            f"{path} has {columns} outputs, but its model card names"
            f" {len(card.class_names)} classes; make it again with: fmnist export"
        )
    return card._replace(input=spec), spec


def _card(metadata: Mapping[str, str], path: Path) -> ModelCard:
    try:
        return ModelCard.from_metadata(metadata)
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{path} has no readable model card ({error}); make it with: fmnist export"
        ) from error


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
