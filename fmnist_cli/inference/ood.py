"""Telling what no model knows: by the model itself, or by `guard.onnx`, for models of frames.

A novelty is a number without a unit. What it means is in a graph's metadata: how novel known
garments are that it has not learned from, as quantiles; a guard has them by preparation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fmnist_cli.contract import INPUT_NAME, NOVELTY_NAME, ModelCard, Novelty, Pixels
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.inference.models import ModelFile, open_part, reopen
from fmnist_cli.inference.session import part_session, run_graph

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
        path: of the file.
        sha256: of the file.

    Raises:
        ModelError: the file is damaged, or no guard.
    """

    def __init__(self, file: ModelFile, share: float = KNOWN_SHARE) -> None:
        self._session = part_session(file, INPUT_NAME, NOVELTY_NAME)
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.card = GuardCard.from_metadata(metadata)
        except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{file.path} has no readable card of a guard: {error}") from error
        self.path = file.path
        self._limits = self.card.limits(share)
        self.sha256 = file.sha256
        self._built_of = file.address, share

    def __reduce__(self) -> tuple[Any, ...]:
        """Built again from its file, in another process."""
        return _guard_of, self._built_of

    def novelty(self, pixels: Pixels) -> Novelty:
        """uint8 [N, 28, 28] → float32 [N], larger is stranger.

        Raises:
            ModelError: the graph fails, or gives something else.
        """
        return run_graph(self._session, self.path, [NOVELTY_NAME], pixels)[0]

    def limit(self, prepared: str) -> float:
        """The novelty above which what this preparation made is unknown.

        Guards made by 0.1 have ``"photo"`` for all that is no frame.
        """
        return next(
            self._limits[name] for name in (prepared, "photo", "frame") if name in self._limits
        )


def _guard_of(address: tuple[Any, ...], share: float) -> Guard:
    return Guard(reopen(*address), share)


class OwnLimit(NamedTuple):
    """The novelty above which a picture is unknown to a model that says how novel it is."""

    value: float

    def limit(self, prepared: str) -> float:
        """The same, whatever prepared the picture."""
        del prepared
        return self.value


def open_guard(
    share: float | None, card: ModelCard, models_dir: Path | None = None
) -> Guard | OwnLimit | None:
    """What tells the unknown from what a model knows; None when `share` is None.

    Args:
        share: of ordinary garments, that is to stay known.
        card: of the model in use.
        models_dir: folder of the models.

    Raises:
        UsageError: there is nothing, or it takes some of the classes for strange.
        ModelError: it is damaged.
    """
    if share is None:
        return None
    if card.novelty_limits:
        shares, limits = zip(
            *sorted((float(text), value) for text, value in card.novelty_limits.items()),
            strict=True,
        )
        return OwnLimit(float(np.interp(share, shares, limits)))
    if card.input is not None and card.input.shape != FRAME_SPEC.shape:
        raise UsageError(
            f"--unknown: {card.name} does not say how novel a picture is, and the guard knows"
            f" frames of {FRAME_SPEC.height}×{FRAME_SPEC.width} only. Use --threshold instead"
        )
    guard = Guard(open_part(PART, models_dir), share)
    if strange := [name for name in card.class_names if name not in guard.card.class_names]:
        raise UsageError(
            f"--unknown: {guard.path} does not know {', '.join(strange)}, of which the"
            " model has classes; it would call them unknown. Use --threshold instead"
        )
    return guard
