"""Models of pictures: how they see, what they keep, that they learn and resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toypictures
from synthetic import images
from torch import nn
from toypictures import INPUT, RECIPE, write_pictures

from fmnist_cli.errors import DataError
from fmnist_cli.labelled.pictures import LabelledPictures, Truth, folds_of
from fmnist_cli.training import picture_fit
from fmnist_cli.training.job import Job, Order, TrainingData
from fmnist_cli.training.picture_fit import (
    PicturesModel,
    Teacher,
    kept,
    make_even,
    predict_logits,
)
from fmnist_cli.training.picture_views import Views, draw
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch

COUNTS = {"t-shirt": 8, "pants": 8, "shoes": 8, "hat": 6}


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    root = write_pictures(tmp_path_factory.mktemp("pictures"), COUNTS)
    return TrainingData(images(40), images(10), "synthetic").with_pictures(root, INPUT)


@pytest.fixture(scope="module")
def pictures(taught: TrainingData) -> LabelledPictures:
    assert taught.pictures is not None
    return taught.pictures


@pytest.fixture(scope="module")
def truth(taught: TrainingData, pictures: LabelledPictures) -> Truth:
    assert taught.meanings is not None
    return pictures.truth(taught.meanings)


def views_of(pictures: LabelledPictures, truth: Truth) -> Views:
    frames = images(20)
    return Views(
        torch.from_numpy(pictures.pixels),
        torch.from_numpy(truth),
        torch.arange(len(pictures)),
        torch.ones(len(pictures), dtype=torch.float64),
        torch.from_numpy(frames.pixels),
        torch.from_numpy(frames.labels),
    )


def test_folders_become_sets_of_right_classes(
    taught: TrainingData, pictures: LabelledPictures, truth: Truth
) -> None:
    assert pictures.pixels.shape == (30, 62, 82, 3)
    right = {f: truth[pictures.members == i][0] for i, f in enumerate(pictures.folders)}
    assert np.flatnonzero(right["shoes"]).tolist() == [5, 7, 9]
    assert np.flatnonzero(right["hat"]).tolist() == [10]
    assert taught.provenance is not None
    assert taught.provenance["folders"]["pants"] == ["Trouser"]
    assert pictures.seen(INPUT, np.array([0, 2])).shape == (2, *INPUT.shape)


def test_every_folder_is_divided_evenly(pictures: LabelledPictures) -> None:
    folds = folds_of(pictures.members, 2, seed=1)
    for folder in range(len(pictures.folders)):
        counts = np.bincount(folds[pictures.members == folder])
        assert abs(counts[0] - counts[1]) <= 1
    assert (folds == folds_of(pictures.members, 2, seed=1)).all()
    assert (folds != folds_of(pictures.members, 2, seed=2)).any()


def test_wrong_folders_are_refused_before_any_slow_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_pictures(tmp_path / "wrong", {"t-shirt": 6, "hat": 3})
    data = TrainingData(images(40), images(10), "synthetic")
    monkeypatch.delattr(LabelledPictures, "read")
    with pytest.raises(DataError, match="hat holds 3 pictures"):
        data.with_pictures(root, INPUT)
    (root / "hat").rename(root / "spoon")
    with pytest.raises(DataError, match=r"spoon of .* is no class"):
        data.with_pictures(root, INPUT)


def test_pictures_that_cannot_be_read_do_not_count(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "few", {"t-shirt": 6, "hat": 5})
    sorted((root / "hat").iterdir())[0].write_bytes(b"no picture")
    with pytest.raises(DataError, match="hat holds 4 pictures"):
        TrainingData(images(40), images(10), "synthetic").with_pictures(root, INPUT)


def test_a_batch_holds_pictures_made_up_ones_and_nothing(
    pictures: LabelledPictures, truth: Truth
) -> None:
    recipe, views = replace(RECIPE, made_up=0.5, nothing=0.25), views_of(pictures, truth)
    chosen = torch.arange(8)
    seen, right = draw(views, chosen, (48, 64), recipe, torch.Generator().manual_seed(0))
    assert seen.shape == (8 + 4 + 2, 3, 48, 64)
    assert seen.dtype == torch.float32
    assert seen.abs().max() <= 1
    assert right[:8].equal(views.truth[:8])
    assert right[8:12].sum(dim=1).eq(1).all()
    assert right[12:, -1].all()
    again, _ = draw(views, chosen, (48, 64), recipe, torch.Generator().manual_seed(0))
    assert again.equal(seen)


def test_what_the_network_says_is_kept() -> None:
    torch.manual_seed(0)
    teacher = Teacher(nn.Identity(), nn.Linear(4, 6), {0: (1,), 1: (2, 3)})
    features = torch.randn(5, 4)
    before = teacher.head(features)
    nothing_vague = torch.eye(3).bool()[[0, 1, 2, 0, 1]]
    logits = torch.randn(5, 3)
    same = kept(logits, features, nothing_vague, before, teacher, RECIPE)
    assert same.item() == pytest.approx(0, abs=1e-6)
    assert kept(logits, features + 1, nothing_vague, before, teacher, RECIPE) > 1e-4
    # Of a vague picture the teacher says which class it is.
    vague = torch.tensor([[True, True, False]])
    opinion = torch.tensor([[0.0, 4.0, 0.0, 0.0, 0.0, 0.0]])
    right = kept(torch.tensor([[5.0, 0, 0]]), features[:1], vague, opinion, teacher, RECIPE)
    wrong = kept(torch.tensor([[0, 5.0, 0]]), features[:1], vague, opinion, teacher, RECIPE)
    assert wrong - right > 1


def test_classes_that_nobody_told_apart_become_equally_frequent() -> None:
    model = toypictures.classifier()
    pixels, truth = toypictures.pictures(12), np.zeros((12, 4), np.bool_)
    truth[:8, [0, 2]] = True
    truth[8:, 1] = True
    before = predict_logits(model, pixels)
    make_even(model, pixels, truth)
    after = predict_logits(model, pixels)
    shares = after[:8, [0, 2]].softmax(dim=1).mean(dim=0)
    assert shares.tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
    assert after[:, [1, 3]].equal(before[:, [1, 3]])


class StopsAfter(Reporter):
    """Interrupts in the middle of the epoch after the given number of them."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self._left = epochs

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        self._left -= 1

    def step(self, text: str) -> None:
        if self._left <= 0:
            raise KeyboardInterrupt


def fit(
    taught: TrainingData, folder: Path, *, resume: bool = False, stop: int | None = None
) -> PicturesModel:
    folder.mkdir(exist_ok=True)
    order = Order(
        Job(toypictures.SPEC, "quick", RECIPE, seed=0),
        taught,
        folder,
        identity={"model": "toy", "seed": 0},
        parents=(),
        device=torch.device("cpu"),
        resume=resume,
        reporter=Reporter() if stop is None else StopsAfter(stop),
    )
    model = picture_fit.fit(order).native
    assert isinstance(model, PicturesModel)
    return model


def test_it_learns_and_an_interrupted_fit_ends_the_same(
    taught: TrainingData, pictures: LabelledPictures, truth: Truth, tmp_path: Path
) -> None:
    whole = fit(taught, tmp_path / "whole")
    folds = folds_of(pictures.members, RECIPE.folds)
    held = np.concatenate([np.flatnonzero(folds == fold) for fold in range(RECIPE.judged)])
    assert sorted(held) == list(range(len(pictures)))
    assert np.array_equal(whole.held.truth, truth[held])
    known = ~whole.held.truth[:, -1]
    best = whole.held.logits[:, :-1].argmax(axis=1)
    right = whole.held.truth[np.arange(len(held)), best]
    assert right[known].mean() > 0.5  # a third by chance
    with pytest.raises(KeyboardInterrupt):
        fit(taught, tmp_path / "cut", stop=20)  # in the second fold
    resumed = fit(taught, tmp_path / "cut", resume=True)
    assert np.array_equal(resumed.held.logits, whole.held.logits)
    for a, b in zip(
        whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True
    ):
        assert a.equal(b)
