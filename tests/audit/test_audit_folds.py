"""Folds: who judges what, parents, interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from idxfiles import write_idx
from synthetic import images

from fmnist_cli.audit.folds import judge, make_folds, start_anew, with_parents
from fmnist_cli.audit.labels import AuditData
from fmnist_cli.data.dataset import load_split
from fmnist_cli.data.fashion_mnist import FILES
from fmnist_cli.errors import TrainingError, UsageError
from fmnist_cli.models.registry import SklearnRecipe, TorchRecipe, get_spec
from fmnist_cli.training.job import Job
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch

CPU = torch.device("cpu")
DATA = AuditData(images(240, 1), images(40, 2), "synthetic")


def network_job() -> Job:
    recipe = TorchRecipe(epochs=2, batch_size=60, ema_decay=0.5, learning_rate=2e-2)
    return Job(get_spec("cnn"), "quick", recipe, 0)


def test_every_image_is_judged_once_by_a_model_that_did_not_see_it(tmp_path: Path) -> None:
    folds = make_folds(DATA, 4, 0, tmp_path)
    judged = np.concatenate([fold.judged for fold in folds])
    assert sorted(judged.tolist()) == list(range(240))
    for fold in folds:
        training = fold.training_data(DATA)
        assert training.train.positions is not None
        assert training.validation.positions is not None
        seen = np.concatenate((training.train.positions, training.validation.positions))
        assert len(np.unique(seen)) == len(seen) == 180
        assert not np.intersect1d(seen, fold.judged).size
        np.testing.assert_array_equal(np.bincount(DATA.train.labels[fold.judged]), [6] * 10)
        np.testing.assert_array_equal(
            training.train.pixels, DATA.train.pixels[training.train.positions]
        )


def test_folds_depend_on_the_seed_alone(tmp_path: Path) -> None:
    def division(seed: int) -> list[list[int]]:
        return [fold.judged.tolist() for fold in make_folds(DATA, 3, seed, tmp_path)]

    assert division(0) == division(0) != division(1)


def test_a_class_must_be_large_enough(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--folds 30: the smallest class .* has 24 images"):
        make_folds(DATA, 30, 0, tmp_path)


class Interrupting(Reporter):
    """Presses Ctrl-C after the first epoch of the second fold."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = 0

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        self.epochs += 1
        if self.epochs == 3:
            raise KeyboardInterrupt


class Counting(Reporter):
    """Counts epochs."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = 0

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        self.epochs += 1


def test_an_interrupted_fold_goes_on_to_the_same_end(tmp_path: Path) -> None:
    job = network_job()
    whole = make_folds(DATA, 2, 0, tmp_path / "whole")
    start_anew(job, whole, DATA)
    expected = judge(job, whole, DATA, device=CPU, reporter=Reporter())
    folds = make_folds(DATA, 2, 0, tmp_path / "broken")
    start_anew(job, folds, DATA)
    with pytest.raises(KeyboardInterrupt):
        judge(job, folds, DATA, device=CPU, reporter=Interrupting())
    rest = Counting()
    resumed = judge(job, folds, DATA, device=CPU, reporter=rest)
    assert rest.epochs == 1
    np.testing.assert_array_equal(resumed.train, expected.train)
    np.testing.assert_array_equal(resumed.test, expected.test)
    # What is finished is neither trained nor judged again.
    (tmp_path / "broken" / "fold-1" / "cnn" / "weights.safetensors").unlink()
    again = judge(job, folds, DATA, device=CPU, reporter=rest)
    np.testing.assert_array_equal(again.train, expected.train)
    assert rest.epochs == 1


def test_test_images_get_the_mean_of_all_folds(tmp_path: Path) -> None:
    job = Job(
        get_spec("logreg"),
        "quick",
        SklearnRecipe(get_spec("logreg").load().RECIPES["quick"].params),
        0,
    )
    folds = make_folds(DATA, 2, 0, tmp_path)
    judged = judge(job, folds, DATA, device=CPU, reporter=Reporter())
    np.testing.assert_allclose(judged.train.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(judged.test.sum(axis=1), 1, atol=1e-5)
    parts = [judge(job, [fold], DATA, device=CPU, reporter=Reporter()).test for fold in folds]
    np.testing.assert_allclose(judged.test, (parts[0] + parts[1]) / 2, atol=1e-6)


def test_a_folder_of_other_folds_is_not_resumed(tmp_path: Path) -> None:
    job = Job(get_spec("logreg"), "quick", get_spec("logreg").load().RECIPES["quick"], 0)
    judge(job, make_folds(DATA, 2, 0, tmp_path)[:1], DATA, device=CPU, reporter=Reporter())
    with pytest.raises(TrainingError, match=r"fold 1 of 2.*not.*fold 1 of 3"):
        judge(job, make_folds(DATA, 3, 0, tmp_path), DATA, device=CPU, reporter=Reporter())


def test_a_pupil_gets_a_teacher_of_its_own_fold(tmp_path: Path) -> None:
    job = network_job()
    pupil = replace(job, recipe=replace(job.recipe, teachers=("resnet",)))  # type: ignore[arg-type]
    assert [made.spec.name for made in with_parents(pupil)] == ["resnet", "cnn"]
    assert [made.preset for made in with_parents(pupil)] == ["quick", "quick"]
    start_anew(pupil, make_folds(DATA, 2, 0, tmp_path), DATA)
    for fold in ("fold-1", "fold-2"):
        assert (tmp_path / fold / "resnet" / "pending.json").exists()


def test_the_file_is_put_together_again(tmp_path: Path) -> None:
    for file, array in zip(
        FILES,
        (DATA.train.pixels, DATA.train.labels, DATA.test.pixels, DATA.test.labels),
        strict=True,
    ):
        write_idx(tmp_path / file.name, array.astype(np.uint8))
    data = AuditData.load(tmp_path)
    np.testing.assert_array_equal(data.train.pixels, DATA.train.pixels)
    np.testing.assert_array_equal(data.train.labels, DATA.train.labels)
    places = data.places()
    assert [position for position, *_ in places] == list(range(280))
    labels = np.concatenate([DATA.train.labels, DATA.test.labels])
    assert [label for *_, label in places] == labels.tolist()
    validation = load_split("validation", tmp_path)
    assert validation.positions is not None
    validated = [index for _, split, index, _ in places if split == "validation"]
    assert validated == validation.positions.tolist()
    assert [place[1:3] for place in places[240:]] == [("test", index) for index in range(40)]
