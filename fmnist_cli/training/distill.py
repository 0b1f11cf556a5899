"""Knowledge distillation (Hinton et al. 2015) from finished runs.

The student sees the view of an image that the teacher judged, epoch after epoch, as Beyer et
al. 2022 ("patient and consistent") found to matter. Shifts and mirroring make finitely many
views, so each is judged once, before training: a table replaces the teacher in the loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.training.augment import View, see
from fmnist_cli.training.checkpoint import load_tensors, save_tensors
from fmnist_cli.training.progress import Reporter

MAX_REACH = 4  # of the tables that are looked for

Judge = Callable[[Pixels], Probabilities]


def judge_views(judge: Judge, pixels: Pixels, reach: int, reporter: Reporter) -> Tensor:
    """What a model says of every view of every image.

    Args:
        judge: uint8 [N, 28, 28] → probabilities. What it says of an image is taken for its
            mirror image, too.
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
    teachers: Mapping[str, Judge],
    pixels: Pixels,
    reach: int,
    folder: Path,
    reporter: Reporter,
) -> Tensor:
    """The mean of the teachers' tables (see `judge_views`).

    A table is made once and kept in `folder` for all students; one with a longer reach serves as
    well, since its middle is the same.

    Args:
        teachers: checksum of each model → what it says.
        pixels: uint8 [N, 28, 28].
        reach: largest shift in pixels.
        folder: of runs.
        reporter: told how far it is.
    """
    checksum = hashlib.sha256(pixels.tobytes()).hexdigest()
    tables = []
    for sha256, judge in teachers.items():
        key = hashlib.sha256(f"{sha256} {checksum}".encode()).hexdigest()[:16]
        made = {
            r: folder / f"soft-labels-{key}-{r}.safetensors"
            for r in range(reach, max(reach, MAX_REACH) + 1)
        }
        kept = next((r for r, path in made.items() if path.exists()), None)
        if kept is None:
            kept = reach
            table = judge_views(judge, pixels, reach, reporter)
            save_tensors(made[reach], {"probabilities": table}, {"reach": reach})
        table = load_tensors(made[kept])["probabilities"].float()
        middle = slice(kept - reach, kept + reach + 1)
        tables.append(table[:, middle, middle])
    return torch.stack(tables).mean(dim=0).to(torch.float16)
