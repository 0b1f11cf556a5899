"""Fitting a scikit-learn pipeline."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.models.registry import ModelSpec, SklearnRecipe
from fmnist_cli.training.job import Fit, Order
from fmnist_cli.training.record import (
    PIPELINE_FILE,
    Epoch,
    TrainingRecord,
    load_pipeline,
    save_pipeline,
)

_SAMPLE = 5000  # training figures come from this many images: kernel machines are slow
_BATCH = 1000


class SklearnModel:
    """`NativeModel` of a scikit-learn pipeline."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, 28, 28] → float32 [N, classes]."""
        starts = range(0, len(pixels), _BATCH)
        batches = [self.pipeline.predict_proba(pixels[start : start + _BATCH]) for start in starts]
        return np.concatenate(batches).astype(np.float32)


def fit(order: Order) -> Fit:
    """Fit every step of the pipeline in turn, then measure it once."""
    recipe, spec, reporter = order.job.recipe, order.job.spec, order.reporter
    assert isinstance(recipe, SklearnRecipe)  # noqa: S101
    train, validation = order.data.train, order.data.validation
    pipeline = spec.load().build(order.job.seed, **recipe.params)
    started = time.monotonic()
    reporter.start(spec.name, None)  # nobody knows how long a solver takes
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
    model = SklearnModel(pipeline)
    sample = slice(0, _SAMPLE)
    fitted = model.probabilities(train.pixels[sample])
    held = model.probabilities(validation.pixels)
    figures = accuracy(held, validation.labels), cross_entropy(held, validation.labels)
    only = Epoch(
        epoch=1,
        train_loss=cross_entropy(fitted, train.labels[sample]),
        train_accuracy=accuracy(fitted, train.labels[sample]),
        validation_loss=figures[1],
        validation_accuracy=figures[0],
        seconds=seconds,
    )
    return Fit(
        model,
        lambda run_dir: save_pipeline(run_dir / PIPELINE_FILE, pipeline),
        (only,),
        ("numpy", "scikit-learn", "scikit-learn-intelex"),
        figures,
        len(validation),
        converged=not any(issubclass(one.category, ConvergenceWarning) for one in caught),
    )


def load(
    spec: ModelSpec,
    record: TrainingRecord,  # noqa: ARG001
    run_dir: Path,
) -> SklearnModel:
    """The model of a finished run."""
    return SklearnModel(load_pipeline(run_dir / PIPELINE_FILE, spec.load().TRUSTED))
