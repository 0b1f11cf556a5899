"""AUROC and what it costs to catch what is strange, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fmnist_cli.evaluate.metrics import auroc, quantiles


def test_auroc_is_that_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(0)
    known, strange = rng.normal(size=300).round(1), rng.normal(1, 1, 200).round(1)
    truth = np.repeat([0, 1], [300, 200])
    assert auroc(known, strange) == pytest.approx(
        roc_auc_score(truth, np.concatenate([known, strange]))
    )
    assert auroc(known, known) == pytest.approx(0.5)


def test_quantiles_are_scores_that_the_shares_do_not_exceed() -> None:
    scores = np.random.default_rng(1).normal(size=1001)
    for share, value in zip((0.5, 0.95), quantiles(scores, (0.5, 0.95)), strict=True):
        assert value in scores
        assert np.mean(scores <= value) >= share
