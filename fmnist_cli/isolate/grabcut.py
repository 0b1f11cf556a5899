"""Slow reference and teacher: GrabCut (Rother, Kolmogorov and Blake 2004) without a user."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

SIDE = 160  # pixels that GrabCut sees; more make it slower and not better
_FRAME = 0.06  # share of the side, at each edge, that is taken for background


def grabcut(image: npt.NDArray[np.uint8], iterations: int = 4) -> npt.NDArray[np.float32]:
    """Where the garment is, supposing that it is in the middle and not at the edge.

    A frame around the picture is background for sure, corners probably, the rest probably
    garment.

    Args:
        image: uint8 [H, W, 3].
        iterations: of GrabCut.

    Returns:
        float32 [`SIDE`, `SIDE`], 0 or 1.
    """
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE] / (SIDE / 2) - 1
    mask = np.full((SIDE, SIDE), cv2.GC_PR_FGD, np.uint8)
    mask[np.hypot(rows, columns) > 1] = cv2.GC_PR_BGD
    mask[np.maximum(abs(rows), abs(columns)) > 1 - 2 * _FRAME] = cv2.GC_BGD
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(small, mask, (0, 0, 1, 1), models[0], models[1], iterations, cv2.GC_INIT_WITH_MASK)
    return np.asarray((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), np.float32)
