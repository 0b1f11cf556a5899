"""Fitting a scikit-learn pipeline."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.training.job import TrainingData
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch

_SAMPLE = 5000  # training figures come from this many images: kernel machines are slow


@dataclass(frozen=True, slots=True)
class SklearnFit:
    """A fitted pipeline and how it got there."""

    pipeline: Any
    history: tuple[Epoch, ...]
    converged: bool


def predict_probabilities(pipeline: Any, pixels: Pixels, batch_size: int = 1000) -> Probabilities:
    """Probabilities float32 [N, classes] of a fitted pipeline."""
    batches = [
        pipeline.predict_proba(pixels[start : start + batch_size])
        for start in range(0, len(pixels), batch_size)
    ]
    return np.concatenate(batches).astype(np.float32)


def fit_sklearn(pipeline: Any, data: TrainingData, *, name: str, reporter: Reporter) -> SklearnFit:
    """Fit every step of `pipeline` in turn, then measure it once."""
    train, validation = data.train, data.validation
    started = time.monotonic()
    reporter.start(name, None)  # nobody knows how long a solver takes
    features: Any = train.pixels
    with warnings.catch_warnings(record=True) as caught:
        # Running out of iterations is the quick preset's choice: recorded, not an error.
        warnings.simplefilter("always", ConvergenceWarning)
        for stage, step in pipeline.steps[:-1]:
            reporter.stage(stage)
            features = step.fit_transform(features, train.labels)
        reporter.stage(f"{pipeline.steps[-1][0]} on {len(features)} × {features.shape[1]} features")
        pipeline.steps[-1][1].fit(features, train.labels)
    seconds = time.monotonic() - started
    for warning in caught:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    reporter.stage("measuring")
    sample = slice(0, _SAMPLE)
    train_probabilities = predict_probabilities(pipeline, train.pixels[sample])
    probabilities = predict_probabilities(pipeline, validation.pixels)
    only = Epoch(
        epoch=1,
        train_loss=cross_entropy(train_probabilities, train.labels[sample]),
        train_accuracy=accuracy(train_probabilities, train.labels[sample]),
        validation_loss=cross_entropy(probabilities, validation.labels),
        validation_accuracy=accuracy(probabilities, validation.labels),
        seconds=seconds,
    )
    converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return SklearnFit(pipeline, (only,), converged)
