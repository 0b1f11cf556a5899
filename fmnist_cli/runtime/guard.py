"""Telling what no model knows: `guard.onnx`, one graph for all models.

Its novelty is a number without a unit. What it means is in the graph's metadata: how novel
known garments are that it has not learned from, as tables of quantiles, one for frames (the
validation split) and one for cut-out photos, on which nothing is ever as sure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fmnist_cli.contract import INPUT_NAME, NOVELTY_NAME, Novelty, Pixels
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.runtime.parts import part_session
from fmnist_cli.runtime.store import ModelFile, find_models_dir, find_part, open_part

PART = "guard"
KNOWN_SHARE = 0.95
# Shares of known garments that have their quantiles in the card, and so what `--unknown-at` may
# be: beyond the last, a handful of images would decide.
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
        quantiles: novelty of known garments at each of `SHARES`, ascending, by the preparation
            that made them; ``"frame"`` always.
    """

    version: str
    class_names: tuple[str, ...]
    quantiles: Mapping[str, tuple[float, ...]]

    def to_metadata(self) -> dict[str, str]:
        """String values for ONNX ``metadata_props``; the inverse of `from_metadata`."""
        return {
            "name": PART,
            "version": self.version,
            "class_names": json.dumps(self.class_names),
            "quantiles": json.dumps(dict(self.quantiles)),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> GuardCard:
        """The card in a graph's metadata.

        Raises:
                KeyError, ValueError, TypeError, AttributeError: it is no card.
        """
        tables = json.loads(metadata["quantiles"])
        quantiles = {str(name): tuple(map(float, table)) for name, table in tables.items()}
        if {len(table) for table in quantiles.values()} != {
            len(SHARES)
        } or "frame" not in quantiles:
            raise ValueError(f"there should be {len(SHARES)} quantiles for each preparation")
        names = tuple(map(str, json.loads(metadata["class_names"])))
        return cls(metadata["version"], names, quantiles)

    def limits(self, share: float) -> dict[str, float]:
        """The novelty that `share` of known garments do not exceed, by preparation."""
        return {name: float(np.interp(share, SHARES, t)) for name, t in self.quantiles.items()}


class Guard:
    """How strange frames are, and from where on they are unknown.

    May be called from several threads.

    Args:
        file: the graph.
        share: of known garments, that are to stay known.

    Attributes:
        card: the metadata of the graph.
        sha256: of the file.

    Raises:
        ModelError: the file is damaged, or no guard.
    """

    def __init__(self, file: ModelFile, share: float = KNOWN_SHARE) -> None:
        self._session = part_session(file, INPUT_NAME, NOVELTY_NAME)
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.card = GuardCard.from_metadata(metadata)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"{file.path} has no readable card of a guard: {error}") from error
        self._path = file.path
        self._limits = self.card.limits(share)
        self.sha256 = file.sha256

    def novelty(self, pixels: Pixels) -> Novelty:
        """uint8 [N, 28, 28] → float32 [N], larger is stranger.

        Raises:
            ModelError: the graph gives NaN or infinity.
        """
        (values,) = self._session.run([NOVELTY_NAME], {INPUT_NAME: pixels})
        if not np.isfinite(values).all():
            raise ModelError(f"{self._path} gives values that are not finite; make it again")
        return np.asarray(values, np.float32)

    def limit(self, prepared: str) -> float:
        """The novelty above which what this preparation made is unknown.

        Products are as unlike the validation split as photos are.
        """
        if prepared == "frame":
            return self._limits["frame"]
        return self._limits.get("photo", self._limits["frame"])


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
