"""Knowledge distillation (Hinton et al. 2015) from finished runs.

The student sees the view of an image that the teacher judged, epoch after epoch, as Beyer et
al. 2022 ("patient and consistent") found to matter. Shifts and mirroring make finitely many
views, so each is judged once, before training: a table replaces the teacher in the loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.training.augment import View, see
from fmnist_cli.training.checkpoint import load_tensors, save_tensors
from fmnist_cli.training.parents import Parent
from fmnist_cli.training.progress import Reporter

MAX_REACH = 4  # of the tables that are looked for

Judge = Callable[[Pixels], Probabilities]


def judge_views(judge: Judge, pixels: Pixels, reach: int, reporter: Reporter) -> Tensor:
    """What a model says of every view of every image.

    Args:
        judge: uint8 [N, 28, 28] → probabilities; the same for an image and its mirror image, if
            students see those.
        pixels: uint8 [N, 28, 28].
        reach: largest shift in pixels.
        reporter: told how far it is.

    Returns:
        float16 [N, 2·reach + 1, 2·reach + 1, classes], by top and left of the view.
    """
    side = 2 * reach + 1
    images = torch.tensor(pixels)
    rows: list[Tensor] = []
    for top in range(side):
        for left in range(side):
            reporter.stage(f"teacher: view {len(rows) + 1} of {side * side}")
            view = View(*(torch.full((len(images),), v) for v in (0, top, left)))
            judged = judge(see(images, view, reach).numpy())
            rows.append(torch.from_numpy(judged).to(torch.float16))
    return torch.stack(rows, dim=1).reshape(len(images), side, side, -1)


def soft_labels(
    teachers: Sequence[Parent],
    judge_of: Callable[[Parent], Judge],
    pixels: Pixels,
    reach: int,
    reporter: Reporter,
    *,
    mirrored: bool = True,
) -> Tensor:
    """The mean of the teachers' tables (see `judge_views`).

    `mirrored` says whether judges average over mirror images, whose students see those, too.

    A table is made once and kept in its teacher's run folder for all its students; one with a
    longer reach serves as well, since its middle is the same.
    """
    checksum = hashlib.sha256(pixels.tobytes()).hexdigest()
    tables = []
    for teacher in teachers:
        made = {
            r: _path(teacher, checksum, r, mirrored)
            for r in range(reach, max(reach, MAX_REACH) + 1)
        }
        kept = next((r for r, path in made.items() if path.exists()), None)
        if kept is None:
            kept = reach
            table = judge_views(judge_of(teacher), pixels, reach, reporter)
            save_tensors(made[reach], {"probabilities": table}, {"reach": reach})
        table = load_tensors(made[kept])["probabilities"].float()
        middle = slice(kept - reach, kept + reach + 1)
        tables.append(table[:, middle, middle])
    return torch.stack(tables).mean(dim=0).to(torch.float16)


def _path(teacher: Parent, checksum: str, reach: int, mirrored: bool) -> Path:
    """Where a table lies: its name says whose it is, and of which images."""
    key = hashlib.sha256(f"{teacher.sha256} {checksum}".encode()).hexdigest()[:16]
    kind = "" if mirrored else "-upright"
    return teacher.run_dir / f"soft-labels-{key}-{reach}{kind}.safetensors"
