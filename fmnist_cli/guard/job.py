"""From the data set and photos to a fitted guard, its limits, and how good it is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch

from fmnist_cli import __version__
from fmnist_cli.contract import CLASS_NAMES, Novelty
from fmnist_cli.evaluate.novelty import auroc, quantiles
from fmnist_cli.guard.examples import Examples, Photos, gather, histograms
from fmnist_cli.guard.fit import STANDARD, Schedule, fit, novelty
from fmnist_cli.guard.network import GuardNet
from fmnist_cli.machine import Machine
from fmnist_cli.runtime.guard import SHARES, GuardCard
from fmnist_cli.training.job import TrainingData

_FOLDS = 4
_SHARE = 0.95  # of what is known, to be accepted where metrics say how much that is


class Outcome(NamedTuple):
    """A fitted guard, its card, and how it came to be, as JSON values."""

    network: GuardNet
    card: GuardCard
    metrics: dict[str, Any]
    training: dict[str, Any]


def make(
    data: TrainingData,
    photos: Photos | None = None,
    *,
    seed: int = 0,
    schedule: Schedule = STANDARD,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Fit a guard on the training split and photos; its limits are of held-out ones.

    With photos it is fitted several times: once on all, and so that each photo is judged by a
    guard that has not seen it, and each strange folder by one that has seen none like it.

    Args:
        data: training and validation images.
        photos: labelled photos, known and strange.
        seed: of everything random.
        schedule: how long to fit.
        report: told what is being done.
    """
    started = time.monotonic()
    examples = gather(data.train, photos, seed=seed, report=report)
    report("fitting")
    network = fit(examples, seed=seed, schedule=schedule, report=report)
    validation = novelty(network, histograms(data.validation.pixels))
    tables = {"frame": quantiles(validation, SHARES)}
    metrics: dict[str, Any] = {"validation_images": len(data.validation)}
    if photos is not None:
        held = _crossed(examples, photos, seed, schedule, report)
        known = held[~photos.strange.numpy()]
        tables["photo"] = quantiles(known, SHARES)
        metrics |= _photo_metrics(examples, photos, held, seed, schedule, report)
    card = GuardCard(__version__, CLASS_NAMES, tables)
    training = {
        "seed": seed,
        **schedule._asdict(),
        "data": data.checksum,
        "photos": None if photos is None else _provenance(photos),
        "seconds": round(time.monotonic() - started),
        "machine": asdict(Machine.current("cpu")),
        "version": __version__,
    }
    return Outcome(network, card, metrics, training)


def folds(photos: Photos, seed: int) -> Iterator[torch.Tensor]:
    """Masks bool [N] of held-out photos, stratified by folder; together they cover all."""
    left = torch.arange(len(photos.members))
    for remaining in range(_FOLDS, 0, -1):
        if remaining == 1:
            held = left
        else:
            held = left[_share(photos.members[left].numpy(), remaining, seed)]
        mask = torch.zeros(len(photos.members), dtype=torch.bool)
        mask[held] = True
        yield mask
        left = left[~mask[left]]


def _share(members: np.ndarray[Any, np.dtype[np.int64]], parts: int, seed: int) -> torch.Tensor:
    """Positions of one in `parts` of each folder."""
    rng = np.random.default_rng((seed, parts))
    chosen = []
    for folder in np.unique(members):
        positions = rng.permutation(np.flatnonzero(members == folder))
        chosen.append(positions[: max(1, round(len(positions) / parts))])
    return torch.from_numpy(np.sort(np.concatenate(chosen)))


def _crossed(
    examples: Examples,
    photos: Photos,
    seed: int,
    schedule: Schedule,
    report: Callable[[str], None],
) -> Novelty:
    """Novelty of each photo, said by a guard that was fitted without it, float32 [N]."""
    held_out = np.zeros(len(photos.members), np.float32)
    for number, held in enumerate(folds(photos, seed), 1):
        report(f"fitting without part {number} of {_FOLDS} of the photos")
        network = fit(examples, torch.nonzero(~held)[:, 0], seed=seed, schedule=schedule)
        held_out[held.numpy()] = novelty(network, examples.views[0][held])
    return held_out


def _photo_metrics(
    examples: Examples,
    photos: Photos,
    held: Novelty,
    seed: int,
    schedule: Schedule,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """How well strange photos are told from known ones, by guards that have not seen them."""
    strange = photos.strange.numpy()
    known = held[~strange]
    limit = quantiles(known, (_SHARE,))[0]
    folders: dict[str, Any] = {}
    for index, folder in enumerate(photos.folders):
        members = photos.members == index
        if not bool(photos.strange[members].all()):
            continue
        report(f"fitting without {folder}")
        # A quarter of the known photos is left out as well, to compare with.
        first = next(folds(photos, seed)) & ~photos.strange
        network = fit(
            examples, torch.nonzero(~members & ~first)[:, 0], seed=seed, schedule=schedule
        )
        unseen = novelty(network, examples.views[0][members])
        ordinary = novelty(network, examples.views[0][first])
        folders[folder] = {
            "auroc": round(auroc(known, held[members.numpy()]), 4),
            "auroc_of_a_kind_never_seen": round(auroc(ordinary, unseen), 4),
        }
    result: dict[str, Any] = {"photos_known": len(known), "photos_strange": int(strange.sum())}
    if strange.any():
        result["cross_validated_auroc"] = round(auroc(known, held[strange]), 4)
        result[f"strange_rejected_at_{_SHARE}"] = round(float(np.mean(held[strange] > limit)), 4)
        result["strange_folders"] = folders
    return result


def _provenance(photos: Photos) -> dict[str, Any]:
    digest = hashlib.sha256(repr(photos.folders).encode())
    digest.update(photos.members.numpy().tobytes())
    digest.update(photos.pixels.tobytes())
    strange = sorted({photos.folders[int(m)] for m in photos.members[photos.strange]})
    return {"count": len(photos.members), "sha256": digest.hexdigest(), "strange": strange}
