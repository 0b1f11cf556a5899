"""Probabilities from models that have not seen the images they judge: K-fold cross-validation.

Every fold is an ordinary training run with a folder of its own, so it resumes like one. A model
that is made from others, by distillation say, has these trained on the same fold first: those
that exist have seen every image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import StratifiedKFold

from fmnist_cli.audit.labels import AuditData, Judgements
from fmnist_cli.data.dataset import LabelledImages, split_indices
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import UsageError
from fmnist_cli.models.registry import get_spec
from fmnist_cli.training import run
from fmnist_cli.training.job import Job, TrainingData
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import load_native

_JUDGED_FILE = "judged.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One part of the training file to judge, and the rest to fit on.

    Attributes:
        name: such as ``fold 1 of 4``; part of the identity of its run.
        judged: ascending positions of the images that the fold's model does not see.
        fitted: ascending positions of the others.
        seed: divides the others into images to fit on and images to choose on.
        runs_dir: folder of its runs, one folder per model.
    """

    name: str
    judged: npt.NDArray[np.intp]
    fitted: npt.NDArray[np.intp]
    seed: int
    runs_dir: Path

    def training_data(self, data: AuditData) -> TrainingData:
        """The images of the other folds: one in twelve to choose epoch and temperature on."""

        def part(positions: npt.NDArray[np.intp]) -> LabelledImages:
            chosen = self.fitted[positions]
            return LabelledImages(data.train.pixels[chosen], data.train.labels[chosen], chosen)

        train, validation = split_indices(data.train.labels[self.fitted], self.seed)
        # The checksum names the data of a run, and one fold's data are not another's: so its
        # checkpoint cannot be taken up by another fold.
        checksum = f"{data.checksum}, {self.name}"
        return TrainingData(part(train), part(validation), checksum, split_seed=self.seed)


def make_folds(data: AuditData, count: int, seed: int, runs_dir: Path) -> list[Fold]:
    """`count` stratified folds, which together judge every image of the training file once.

    Raises:
        UsageError: a class has too few images for so many folds.
    """
    labels = data.train.labels
    fewest = int(np.unique(labels, return_counts=True)[1].min())
    largest = 1 + (fewest - 1) // count
    # Of each class two images must be left besides a fold: one to fit on, one to choose on.
    if count > fewest or fewest - largest < 2:
        raise UsageError(
            f"--folds {count}: the smallest class of the training file has {fewest} images, which"
            " cannot be divided so; give fewer folds"
        )
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    return [
        Fold(f"fold {number} of {count}", judged, fitted, seed, runs_dir / f"fold-{number}")
        for number, (fitted, judged) in enumerate(splitter.split(labels, labels), start=1)
    ]


def with_parents(job: Job) -> list[Job]:
    """The job, after those of the models that its model is made from."""
    jobs: dict[str, Job] = {}
    for name in job.recipe.parents:
        for parent in with_parents(Job.of(get_spec(name), job.preset, job.seed)):
            jobs.setdefault(parent.spec.name, parent)
    return [*jobs.values(), job]


def start_anew(job: Job, folds: list[Fold], data: AuditData) -> None:
    """Note that all these runs are to be made, so that resuming knows what was left to do."""
    for fold in folds:
        training = fold.training_data(data)
        for made in with_parents(job):
            run.announce(made, training, fold.runs_dir / made.spec.name)
        (fold.runs_dir / job.spec.name / _JUDGED_FILE).unlink(missing_ok=True)


def judge(
    job: Job, folds: list[Fold], data: AuditData, *, device: torch.device, reporter: Reporter
) -> Judgements:
    """Train what is not trained yet, and let the models judge what they have not seen.

    An image of the training file is judged by the one model that did not see it, an image of
    the test file by the mean of all. What a fold judged is kept in its run folder.

    Raises:
        TrainingError: a fold's folder holds another run.
    """
    train = np.zeros((len(data.train), len(CLASS_NAMES)), np.float32)
    test = np.zeros((len(data.test), len(CLASS_NAMES)), np.float32)
    for fold in folds:
        training = fold.training_data(data)
        # Finished runs are only checked. What was judged belongs to them: new ones drop it.
        for made in with_parents(job):
            folder = fold.runs_dir / made.spec.name
            run.train(made, training, folder, device=device, resume=True, reporter=reporter)
        folder = fold.runs_dir / job.spec.name
        kept = folder / _JUDGED_FILE
        if not kept.exists():
            model = load_native(job.spec, folder)
            pixels = data.train.pixels[fold.judged], data.test.pixels
            Judgements(*map(model.probabilities, pixels)).save(kept)
        part = Judgements.read(kept, (len(fold.judged), len(data.test)))
        train[fold.judged] = part.train
        test += part.test / len(folds)
    return Judgements(train, test)
