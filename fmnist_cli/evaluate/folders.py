"""Accuracy over labelled folders, where several classes may be right; numpy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import Labels

Allowed = npt.NDArray[np.bool_]  # [N, classes]: the classes that are right


def allowed_of(
    members: npt.NDArray[np.intp], columns: Sequence[Sequence[int]], classes: int
) -> Allowed:
    """Which classes are right for each picture.

    Args:
        members: intp [N], the folder of each.
        columns: of each folder, the classes that are right; none where no class is.
        classes: how many there are.

    Returns:
        bool [N, classes].
    """
    table = np.zeros((len(columns), classes), np.bool_)
    for row, right in zip(table, columns, strict=True):
        row[list(right)] = True
    return table[members]


def is_right(predicted: Labels, allowed: Allowed) -> npt.NDArray[np.bool_]:
    """Whether each prediction is among the allowed classes, bool [N]."""
    result: npt.NDArray[np.bool_] = allowed[np.arange(len(predicted)), predicted]
    return result


def recalls(
    right: npt.NDArray[np.bool_], members: npt.NDArray[np.intp], folders: Sequence[str]
) -> Mapping[str, float]:
    """Share of right answers, 0 to 1, of each folder that has pictures."""
    return {
        name: float(right[members == at].mean())
        for at, name in enumerate(folders)
        if (members == at).any()
    }


def macro(shares: Mapping[str, float]) -> float:
    """Mean over folders, each counting the same; 0 without any."""
    return sum(shares.values()) / max(len(shares), 1)
