"""From a folder of photos to a fitted network: masks, by GrabCut or given, then training."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch

from fmnist_cli import __version__
from fmnist_cli.cores import available_cores
from fmnist_cli.errors import DataError, ImageError, UsageError
from fmnist_cli.isolate.fit import SIDE, fit
from fmnist_cli.isolate.grabcut import grabcut
from fmnist_cli.isolate.masks import overlap, read_mask
from fmnist_cli.isolate.network import IsolateNet
from fmnist_cli.isolate.views import Photos, ground_of
from fmnist_cli.machine import Machine
from fmnist_cli.prepare import needs_color, reduction
from fmnist_cli.runtime.decode import decode
from fmnist_cli.runtime.sources import open_source

_STORED = 144  # pixels a side that photos are kept at, from which 128 are seen at a time
_USUAL = 0.06, 0.75  # share of a photo that is garment; a mask that says otherwise failed
_FEWEST = 32  # photos; one batch

Masked = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


class Outcome(NamedTuple):
    """A fitted network, and how it came to be, as JSON values."""

    network: IsolateNet
    metrics: dict[str, Any]
    training: dict[str, Any]


def _masked(photo: tuple[bytes, Path | None]) -> Masked | None:
    """A photo and its mask, both `_STORED` a side; None where there is none, or none of use.

    Args:
        photo: the content of its file, and the file of its mask; None to ask GrabCut.
    """
    content, given = photo
    cv2.setNumThreads(1)
    try:
        picture = decode(content, reduction=reduction("photo"), color=needs_color("photo"))
        if picture.color is None:
            return None
        found = grabcut(picture.color) if given is None else read_mask(given)
    except (ImageError, OSError):
        return None
    size = (_STORED, _STORED)
    mask = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
    if not _USUAL[0] < float(mask.mean()) < _USUAL[1]:
        return None
    image = cv2.resize(picture.color, size, interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8), np.asarray(mask > 0.5, np.uint8)


def _mask_of(path: str, masks: Path) -> Path:
    """The file of a photo's mask: ``1.jpg.png`` or ``1.png`` for ``1.jpg``; it may not exist."""
    whole = masks / f"{path}.png"
    return whole if whole.exists() else (masks / path).with_suffix(".png")


def read_photos(
    folder: Path, report: Callable[[str], None], masks: Path | None = None
) -> tuple[Photos, int]:
    """All photos of a folder with masks, and how many were left out.

    Args:
        folder: of the photos.
        report: told what is done.
        masks: folder of masks, ``dress/1.png`` or ``dress/1.jpg.png`` for ``dress/1.jpg``, white
            where the garment is, or transparent where it is not; None for GrabCut's.

    Raises:
        UsageError: there is no such folder, or it is that of the photos.
        DataError: too few photos.
    """
    if masks is not None and not masks.is_dir():
        raise UsageError(f"there is no folder called {str(masks)!r} with masks")
    if masks is not None and masks.resolve() == folder.resolve():
        raise UsageError(
            f"masks lie among the photos in {folder}; put them in a folder of their own"
        )
    items = list(open_source(folder))
    report(f"masks of {len(items):,} photos {'by GrabCut' if masks is None else f'in {masks}'}")
    pairs = [
        (content, None if masks is None else _mask_of(item.path, masks))
        for item in items
        if isinstance(content := item.read(), bytes)
    ]
    with ProcessPoolExecutor(available_cores()) as pool:
        found = list(pool.map(_masked, pairs, chunksize=8))
    good = [one for one in found if one is not None]
    if len(good) < _FEWEST:
        what = "colour photos with a garment in the middle"
        if masks is not None:
            what = f"colour photos with a mask in {masks} (dress/1.png for dress/1.jpg)"
        raise DataError(f"{folder} has {len(good)} {what}; at least {_FEWEST} are needed")
    left_out = len(items) - len(good)
    report(
        f"{len(good):,} photos to learn from, {left_out:,} left out:"
        " unreadable, without colour, or without a mask that could be a garment"
    )
    images, covers = (torch.from_numpy(np.stack(part)) for part in zip(*good, strict=True))
    grounds = [ground_of(image, mask) for image, mask in good]
    return Photos(images, covers, torch.from_numpy(np.stack(grounds))), left_out


def agreement(network: IsolateNet, photos: Photos) -> float:
    """Mean intersection over union of the network's masks and those it learnt from, 0 to 1."""
    shares = []
    with torch.inference_mode():
        for image, mask in zip(photos.images.numpy(), photos.masks.numpy(), strict=True):
            seen = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            found = network(torch.from_numpy(seen[None]))[0].numpy()
            small = cv2.resize(mask.astype(np.float32), found.shape, interpolation=cv2.INTER_AREA)
            shares.append(overlap(found, small))
    return float(np.mean(shares))


def make(
    folder: Path,
    *,
    masks: Path | None = None,
    epochs: int,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> Outcome:
    """Learn to find garments from the photos of a folder; no labels are needed.

    Args:
        folder: of the photos.
        masks: see `read_photos`.
        epochs: passes over the photos.
        seed: of everything random.
        report: told what is done.

    Raises:
        UsageError, DataError: as `read_photos`.
    """
    photos, left_out = read_photos(folder, report, masks)
    started = time.monotonic()
    network = fit(photos, epochs=epochs, seed=seed, report=report)
    seconds = time.monotonic() - started
    count = len(photos.images)
    return Outcome(
        network,
        {"intersection_over_union": agreement(network, photos), "images": count},
        {
            "photos": count,
            "left_out": left_out,
            "masks": "GrabCut at 160 pixels, 4 iterations" if masks is None else "given",
            "epochs": epochs,
            "seed": seed,
            "seconds": seconds,
            "machine": asdict(Machine.current("cpu")),
            "version": __version__,
        },
    )
