"""The same job from Python: `load` a model, `classify` pictures.

import fmnist_cli

model = fmnist_cli.load("resnet")
probabilities = model(pixels)                  # uint8 [N, 28, 28] → float32 [N, 10]

for row in fmnist_cli.classify("photos", model="cnn"):
    print(row.path, row.label if isinstance(row, fmnist_cli.Prediction) else row.error)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import (
    InputSpec,
    ModelCard,
    Picture,
    Pixels,
    Prediction,
    Probabilities,
    Rejected,
    Row,
)
from fmnist_cli.decode.picture import from_channels
from fmnist_cli.engines import ENGINES, TIMEOUT, default_engine, ordered_map
from fmnist_cli.errors import UsageError
from fmnist_cli.inference.classifier import AUTO, Classifier, Route, Settings, open_models, route_of
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.ood import known_share, open_guard
from fmnist_cli.inference.session import Session
from fmnist_cli.machine import available_cores
from fmnist_cli.preprocess import MODES, check_mode
from fmnist_cli.remote import is_url, public
from fmnist_cli.sources import open_source, open_sources
from fmnist_cli.sources.items import FileItem, HeldItem, Item
from fmnist_cli.sources.objects import RemoteItem

Input = str | os.PathLike[str] | npt.NDArray[np.uint8]


class Model:
    """A loaded model. Made by `load`; may be called from several threads.

    Attributes:
        card: name, title, test accuracy and more, as written by `fmnist export`.
        class_names: label of each column of the probabilities.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.card: ModelCard = session.card
        self.class_names: tuple[str, ...] = session.card.class_names

    def __call__(self, pixels: Pixels) -> Probabilities:
        """Probabilities of each class.

        Args:
            pixels: uint8 [N, height, width], for models in colour [N, height, width, 3], or one
                picture without N. What the size is, and how pictures get there, says
                ``card.input``; models of frames take 28×28, a light garment on black.

        Returns:
            float32 [N, classes], or [classes] for one picture; rows sum to 1.

        Raises:
            UsageError: another shape or type.
        """
        pixels, shape = np.asarray(pixels), self.session.spec.shape
        single = pixels.shape == shape
        if pixels.dtype != np.uint8 or not (single or pixels.shape[1:] == shape):
            wanted = ", ".join(map(str, ("N", *shape)))
            raise UsageError(
                f"pixels are {pixels.dtype} {list(pixels.shape)}, but the model takes uint8"
                f" [{wanted}]; fmnist_cli.classify takes pictures of any size"
            )
        batch = np.ascontiguousarray(pixels.reshape(-1, *shape))
        if not len(batch):
            return np.empty((0, len(self.class_names)), np.float32)
        probabilities = self.session.probabilities(batch)
        return probabilities[0] if single else probabilities


def load(
    model: str = "resnet",
    *,
    models_dir: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    provider: str = "cpu",
) -> Model:
    """A model by name, checked against its manifest, or any exported ``.onnx`` file by path.

    Args:
        model: name or path.
        models_dir: folder of exported models; searched for as by `fmnist classify`.
        threads: threads within one call; all available cores by default.
        provider: what runs it, such as ``"cpu"`` or ``"cuda"``.

    Raises:
        UsageError: no model has that name, or the provider is not there.
        ModelError: the file is damaged or not of ours.
    """
    if model == AUTO:
        raise UsageError("'auto' stands for two models; load one, such as 'resnet' or 'photo'")
    file = open_model(model, None if models_dir is None else Path(models_dir))
    return Model(Session(file, threads or available_cores(), provider))


def classify(
    inputs: Input | Iterable[Input],
    model: str | Model = "auto",
    *,
    prepare: str = "auto",
    top_k: int = 3,
    threshold: float = 0.0,
    unknown: bool = False,
    unknown_at: float | None = None,
    workers: int | None = None,
    batch_size: int | None = None,
    models_dir: str | os.PathLike[str] | None = None,
    engine: str | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[Row]:
    """One row for every picture, in order, as they come.

    On Linux files are read by forked processes, so that one that crashes a decoder costs a row
    and not the program. Elsewhere, for arrays, and for models on a device it is threads.

    Args:
        inputs: a folder, archive or picture by path or URL; or several of them and arrays. Arrays
            are uint8 pictures [H, W] grey, [H, W, 3] RGB or [H, W, 4] RGBA of any size; their rows
            are called by their position, and an array of N times what the model takes, such as
            [N, 28, 28], stands for N pictures.
        model: name, path, or a loaded model; ``"auto"`` is one for frames and one for all else.
        prepare: ``"auto"`` is what the model wants; models of frames also let you choose
            ``"frame"`` or ``"product"``.
        top_k: candidates per row.
        threshold: below this probability the label is ``"unknown"``.
        unknown: whether what is none of the garments the models know is ``"unknown"``, too.
        unknown_at: as `unknown`, and which share of ordinary garments stays known, 0.5 to 0.999;
            0.95 by default.
        workers: processes or threads; all available cores by default.
        batch_size: pictures per inference call; by their cost if not given.
        models_dir: folder of exported models.
        engine: what workers are: ``"fork"``, ``"threads"``, or ``"spawn"``, for which a script
            needs ``if __name__ == "__main__":``.
        timeout: seconds that a picture may take in a process.

    Yields:
        `Prediction`, or `Rejected` with the reason for what cannot be read.

    Raises:
        UsageError, ModelError: as `load`; an array is no picture.
    """
    if prepare not in MODES:
        raise UsageError(f"prepare={prepare!r} is unknown; choose from {', '.join(MODES)}")
    numbers = ("top_k", top_k, 1000), ("workers", workers, 1024), ("batch_size", batch_size, 65536)
    for name, value, most in numbers:
        if value is not None and not 1 <= value <= most:
            raise UsageError(f"{name}={value} is out of range; give 1 to {most}")
    if engine is not None and engine not in ENGINES:
        raise UsageError(f"engine={engine!r} is unknown; choose from {', '.join(ENGINES)}")
    if not 0 < timeout <= 86400:
        raise UsageError(f"timeout={timeout} is no time limit; give seconds, at most 86400")
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold={threshold} is no probability; give one from 0 to 1")
    if isinstance(inputs, bytes) or (isinstance(inputs, str) and not inputs):
        raise UsageError("inputs are paths and arrays; give at least one")
    share = known_share("unknown_at", unknown_at) if unknown or unknown_at is not None else None
    settings = Settings(mode=prepare, top_k=top_k, threshold=threshold, unknown_at=share)
    folder = None if models_dir is None else Path(models_dir)
    engine = engine or _engine(inputs, model)
    routes: tuple[Route, ...]
    if isinstance(model, Model):
        check_mode(prepare, model.session.spec, "prepare")
        session = model.session if engine == "threads" else model.session.in_one_thread()
        routes = (route_of(session, open_guard(share, model.card, folder)),)
    else:
        routes = open_models(model, settings, folder).routes
    work = Classifier(*routes, settings=settings, batch_size=batch_size)
    items = _items(inputs, [route.spec for route in routes])
    chunks = ordered_map(
        work,
        items,
        workers=workers or available_cores(),
        batch_size=batch_size,
        engine=engine,
        timeout=timeout,
    )
    return _rows(chunks)


def _engine(inputs: Input | Iterable[Input], model: str | Model) -> str:
    """What reads the inputs: processes where they are needed and can be had."""
    on_device = isinstance(model, Model) and model.session.provider != "cpu"
    processes = sys.modules.get("multiprocessing.process")
    in_daemon = processes is not None and processes.current_process().daemon  # it may start none
    arrays = isinstance(inputs, np.ndarray)
    forks = default_engine() == "fork" and not (arrays or on_device or in_daemon)
    return "fork" if forks else "threads"


def _rows(chunks: Generator[list[Row], None, None]) -> Iterator[Row]:
    with closing(chunks):
        for rows in chunks:
            yield from rows


def _items(inputs: Input | Iterable[Input], specs: Sequence[InputSpec]) -> Iterator[Item]:
    if isinstance(inputs, (str, os.PathLike)):
        is_remote = isinstance(inputs, str) and is_url(inputs)
        yield from open_sources([str(inputs)]) if is_remote else open_source(Path(inputs))
        return
    several: Iterable[Input] = inputs
    are_many = isinstance(inputs, np.ndarray) and inputs.shape[1:] in [one.shape for one in specs]
    if isinstance(inputs, np.ndarray) and not are_many:
        several = [inputs]
    for position, single in enumerate(several):
        if isinstance(single, (str, os.PathLike)):
            if not os.fspath(single):
                raise UsageError(f"input {position} is an empty path")
            path = Path(single)
            if isinstance(single, str) and is_url(single):
                yield RemoteItem(public(single), single)
            elif path.exists():
                prefix = f"{path.as_posix().rstrip('/')}/"
                yield from open_source(path, prefix)
            else:
                yield FileItem(path.as_posix(), str(path))  # its row will say what is wrong
        else:
            yield HeldItem(str(position), _picture(single, position), "")


def _picture(array: Any, position: int) -> Picture:
    pixels = np.asarray(array)
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (2, 3)
        or channels not in (1, 3, 4)
        or not pixels.size
    ):
        raise UsageError(
            f"input {position} is {pixels.dtype} {list(pixels.shape)}; give paths, or uint8"
            " pictures [H, W], [H, W, 3] or [H, W, 4]"
        )
    pixels = np.ascontiguousarray(pixels)
    if channels == 1:
        return Picture(pixels.reshape(pixels.shape[:2]), colorless=True)
    return from_channels(pixels, color=True)


__all__ = ["Input", "Model", "Prediction", "Rejected", "Row", "classify", "load"]
