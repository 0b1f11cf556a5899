"""Telling what no model knows: `guard.onnx`, one graph for all models.

Its novelty is a number without a unit. What it means is in the graph's metadata: how novel
the images of the validation split are, as a table of quantiles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from fmnist_cli.contract import INPUT_NAME, NOVELTY_NAME, Novelty, Pixels
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.runtime.store import ModelFile, find_models_dir, find_part, open_part

PART = "guard"
KNOWN_SHARE = 0.95
# Shares of the validation images, and so what `--unknown-at` may be: beyond the last, five images
# would decide.
SHARES = (
    *(s / 100 for s in (50, 60, 70, 80, *range(90, 100))),
    *(s / 1000 for s in range(991, 1000)),
)


def known_share(option: str, share: float | None) -> float:
    """The share of ordinary garments that is to stay known.

    Raises:
        UsageError: it is none that can be had.
    """
    if share is None:
        return KNOWN_SHARE
    if not SHARES[0] <= share <= SHARES[-1]:
        raise UsageError(
            f"{option} {share} is no share of garments that can stay known; give one from"
            f" {SHARES[0]} to {SHARES[-1]}, such as {KNOWN_SHARE}"
        )
    return share


class GuardCard(NamedTuple):
    """The metadata inside a guard's graph.

    Attributes:
        version: of the package that made it.
        class_names: the garments that are not novel.
        quantiles: novelty of the validation images at each of `SHARES`, ascending.
    """

    version: str
    class_names: tuple[str, ...]
    quantiles: tuple[float, ...]

    def to_metadata(self) -> dict[str, str]:
        """String values for ONNX ``metadata_props``; the inverse of `from_metadata`."""
        return {
            "name": PART,
            "version": self.version,
            "class_names": json.dumps(self.class_names),
            "quantiles": json.dumps(self.quantiles),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> GuardCard:
        """The card in a graph's metadata.

        Raises:
            KeyError, ValueError, TypeError: it is no card.
        """
        quantiles = tuple(map(float, json.loads(metadata["quantiles"])))
        if len(quantiles) != len(SHARES):
            raise ValueError(f"{len(quantiles)} quantiles where there should be {len(SHARES)}")
        names = tuple(map(str, json.loads(metadata["class_names"])))
        return cls(metadata["version"], names, quantiles)

    def limit(self, share: float) -> float:
        """The novelty that `share` of the validation images do not exceed."""
        return float(np.interp(share, SHARES, self.quantiles))


class Guard:
    """Callable: uint8 [N, 28, 28] → bool [N], whether each is stranger than the limit.

    May be called from several threads. It runs on the processor, in one thread, as there are as
    many workers as cores.

    Args:
        file: the graph.
        share: of the validation images, that is not strange.

    Attributes:
        card: the metadata of the graph.
        limit: the novelty above which a frame is strange.
        sha256: of the file.

    Raises:
        ModelError: the file is damaged, or no guard.
    """

    def __init__(self, file: ModelFile, share: float = KNOWN_SHARE) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(file.content, options, ["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise ModelError(f"{file.path} is not a usable ONNX model: {error}") from error
        values = (*self._session.get_inputs(), *self._session.get_outputs())
        found = [(value.name, value.type) for value in values]
        if found != [(INPUT_NAME, "tensor(uint8)"), (NOVELTY_NAME, "tensor(float)")]:
            raise ModelError(f"{file.path} does not take {INPUT_NAME!r} and give {NOVELTY_NAME!r}")
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.card = GuardCard.from_metadata(metadata)
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(f"{file.path} has no readable card of a guard: {error}") from error
        self._path = file.path
        self.sha256 = file.sha256
        self.limit = self.card.limit(share)

    def __call__(self, pixels: Pixels) -> npt.NDArray[np.bool_]:
        """Whether each frame is stranger than the limit, bool [N]."""
        return np.asarray(self.novelty(pixels) > self.limit, np.bool_)

    def novelty(self, pixels: Pixels) -> Novelty:
        """uint8 [N, 28, 28] → float32 [N], larger is stranger.

        Raises:
            ModelError: the graph gives NaN or infinity.
        """
        (values,) = self._session.run([NOVELTY_NAME], {INPUT_NAME: pixels})
        if not np.isfinite(values).all():
            raise ModelError(f"{self._path} gives values that are not finite; make it again")
        return np.asarray(values, np.float32)


def open_guard(
    share: float | None, class_names: Sequence[str], models_dir: Path | None = None
) -> Guard | None:
    """The guard among the models; None when `share` is None.

    Args:
        share: of ordinary garments, that is to stay known.
        class_names: of the model in use.
        models_dir: folder of the models.

    Raises:
        UsageError: there is none, or it takes some of the classes for strange.
        ModelError: it is damaged.
    """
    if share is None:
        return None
    folder = find_models_dir(models_dir)
    if find_part(PART, folder) is None:
        raise UsageError(
            f"--unknown needs a guard, and {folder} has none (no {PART!r} in its manifest). Use"
            " --models-dir with a folder that has, such as that of the shipped models, or make"
            " one: fmnist train-guard"
        )
    guard = Guard(open_part(PART, folder), share)
    if strange := [name for name in class_names if name not in guard.card.class_names]:
        raise UsageError(
            f"--unknown: the guard in {folder} does not know {', '.join(strange)}, of which the"
            " model has classes; it would call them unknown. Use --threshold instead"
        )
    return guard
