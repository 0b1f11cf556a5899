"""What is right of each training image, and the loss against it.

Truth is int64 [N], a label each, or bool [N, classes], the set of classes that are right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def loss(logits: Tensor, truth: Tensor, smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
    """Cross-entropy; against sets, of the summed probability of the classes that are right.

    With one right class each, both forms are the same function. Sets are partial labels
    (Jin & Ghahramani 2002): nothing is said about which of the classes it is.

    Args:
        logits: float32 [N, classes].
        truth: see above.
        smoothing: probability mass moved from what is right to all classes, 0 to 1.
        reduction: ``"mean"`` or ``"sum"``.
    """
    if truth.dim() == 1:
        return functional.cross_entropy(
            logits, truth, label_smoothing=smoothing, reduction=reduction
        )
    logs = functional.log_softmax(logits, dim=1)
    right = torch.logsumexp(logs.masked_fill(~truth, -torch.inf), dim=1)
    each = -(1 - smoothing) * right - smoothing * logs.mean(dim=1)
    return each.mean() if reduction == "mean" else each.sum()


def hits(logits: Tensor, truth: Tensor) -> Tensor:
    """How many most probable classes are right; a number in a tensor."""
    best = logits.argmax(1)
    if truth.dim() == 1:
        return (best == truth).sum()
    return truth.gather(1, best[:, None]).sum()
