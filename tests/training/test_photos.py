"""Photos in training: sets of right classes, their share of a batch, classes that are new."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photofolders import write_photos
from synthetic import data, images
from torch.nn import functional

from fmnist_cli.contract import CLASS_NAMES, ModelCard
from fmnist_cli.errors import DataError, TrainingError
from fmnist_cli.export.run import export, update_manifest
from fmnist_cli.labelled.folders import LabelledFolders, read_folders
from fmnist_cli.manifest import Entry
from fmnist_cli.models.recipes import SklearnRecipe, TorchRecipe
from fmnist_cli.models.registry import ModelSpec, get_spec
from fmnist_cli.runtime.session import Session
from fmnist_cli.runtime.store import open_model
from fmnist_cli.training.batches import Batches
from fmnist_cli.training.job import Job, TrainingData
from fmnist_cli.training.photos import TrainingPhotos
from fmnist_cli.training.progress import SilentReporter
from fmnist_cli.training.record import TrainingRecord
from fmnist_cli.training.run import load_native, train
from fmnist_cli.training.truth import hits, loss, truth_of

MEANINGS = {
    "trousers": ("Trouser",),
    "shoes": ("Sandal", "Sneaker", "Ankle boot"),
    "hat": ("Hat",),
    "skirt": ("Skirt",),
    "junk": (),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> LabelledFolders:
    root = tmp_path_factory.mktemp("photos") / "mine"
    write_photos(root, {"hat": 24, "junk": 5, "shoes": 24, "skirt": 24, "trousers": 24})
    return read_folders(root, workers=1)


def photos(folders: LabelledFolders, *, only: bool = False) -> TrainingPhotos:
    return TrainingPhotos.divide(folders, MEANINGS, only=only)


def run(job: Job, given: TrainingData, folder: Path, *, resume: bool = False) -> TrainingRecord:
    return train(
        job,
        given,
        folder,
        device=torch.device("cpu"),
        resume=resume,
        reporter=SilentReporter(),
    )


def exported(spec: ModelSpec, run_dir: Path) -> tuple[ModelCard, Entry]:
    """What an export of the run says of itself, read back from its files."""
    out = run_dir / "exported"
    entry = export(spec, run_dir, out, {"test": images(50, 3), "validation": images(50, 2)})
    update_manifest(out, spec.name, entry)
    return Session(open_model(spec.name, out)).card, entry


def test_the_loss_of_sets_of_one_is_that_of_labels() -> None:
    torch.manual_seed(1)
    logits, labels = torch.randn(20, 12), torch.randint(0, 12, (20,))
    sets = functional.one_hot(labels, 12).bool()
    for smoothing in (0.0, 0.1):
        for reduction in ("mean", "sum"):
            one, other = (loss(logits, truth, smoothing, reduction) for truth in (labels, sets))
            assert one.item() == pytest.approx(other.item(), abs=1e-5)
    assert hits(logits, labels) == hits(logits, sets)


def test_the_loss_of_a_set_is_that_of_its_summed_probability() -> None:
    probabilities = torch.tensor([[0.5, 0.2, 0.2, 0.1]])
    logits = probabilities.log().requires_grad_()
    value = loss(logits, torch.tensor([[False, True, True, False]]))
    assert value.item() == pytest.approx(-np.log(0.4), abs=1e-6)
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_truth_has_labels_first() -> None:
    truth = truth_of(torch.tensor([1, 0]), torch.tensor([[True, True, False]]))
    assert truth.tolist() == [[False, True, False], [True, False, False], [True, True, False]]


NONE = torch.zeros(0, dtype=torch.int64)


def test_photos_fill_their_share_of_every_batch() -> None:
    batches = Batches(images=100, folders=torch.tensor([0] * 7), size=20, share=0.15)
    assert (batches.taken, batches.steps) == (3, 6)
    drawn = batches.draw(torch.Generator().manual_seed(1))
    images = torch.cat([chosen[:count] for chosen, count in drawn])
    assert sorted(images.tolist()) == list(range(100))
    shown = torch.cat([chosen[count:] for chosen, count in drawn])
    assert len(shown) == 18
    assert set(shown.tolist()) <= set(range(100, 107))


def test_small_folders_are_seen_as_often_as_large_ones() -> None:
    folders = torch.tensor([0] * 90 + [2] * 10)
    batches = Batches(images=4000, folders=folders, size=20, share=0.5)
    drawn = batches.draw(torch.Generator().manual_seed(1))
    shown = torch.cat([chosen[count:] for chosen, count in drawn]) - 4000
    shares = torch.bincount(folders[shown]) / len(shown)
    assert shares[[0, 2]].tolist() == pytest.approx([0.5, 0.5], abs=0.03)
    assert len(torch.unique(shown)) == 100


def test_without_photos_an_epoch_is_what_it_was() -> None:
    batches = Batches(images=50, folders=NONE, size=20, share=0.15)
    drawn = batches.draw(torch.Generator().manual_seed(1))
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.cat([chosen for chosen, _ in drawn]), order)
    assert [count for _, count in drawn] == [20, 20, 10]


def test_an_epoch_of_few_images_goes_round() -> None:
    batches = Batches(images=5, folders=NONE, size=4, share=0.15, rounds=3)
    drawn = batches.draw(torch.Generator().manual_seed(1))
    assert [count for _, count in drawn] == [4, 4, 4, 3]
    assert torch.bincount(torch.cat([chosen for chosen, _ in drawn])).tolist() == [3] * 5


def test_photos_are_divided_by_folder_and_named_in_the_provenance(
    folders: LabelledFolders,
) -> None:
    found = photos(folders)
    assert found.class_names == (*CLASS_NAMES, "Hat", "Skirt")
    assert (len(found.fitted), len(found.held)) == (88, 8)
    assert np.bincount(found.held.members).tolist() == [2, 0, 2, 2, 2]
    assert found.held.allowed.sum(axis=1).tolist() == [1, 1, 3, 3, 1, 1, 1, 1]
    assert len(found.fitted.single()) == 66
    assert found.provenance["folders"]["shoes"] == ["Sandal", "Sneaker", "Ankle boot"]
    assert found.left_out == ("5 photos of junk, which is no class",)
    assert photos(folders).provenance == found.provenance
    other = TrainingPhotos.divide(folders, MEANINGS | {"hat": ("Bag",)})
    assert other.provenance["sha256"] != found.provenance["sha256"]
    assert any("Hat" in line for line in found.told())


def test_photos_are_read_in_several_views_unless_they_are_very_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_photos(tmp_path / "mine", {"hat": 12, "skirt": 13})
    read = TrainingPhotos.read(root)
    assert read.fitted.views.shape == (23, 25, 28, 28)
    assert read.provenance["views"] == 25
    assert "23 photos to learn from (networks: photos in 25 views each), 2 held out" in read.told()
    monkeypatch.setattr("fmnist_cli.training.photos._MOST_FRAMES", 100)
    assert TrainingPhotos.read(root).provenance["views"] == 4
    assert TrainingPhotos.read(root, only=True).provenance["views"] == 1


def test_a_new_class_needs_photos_of_its_own(folders: LabelledFolders) -> None:
    with pytest.raises(DataError, match="0 photos are labelled Clog alone"):
        TrainingPhotos.divide(folders, MEANINGS | {"shoes": ("Clog", "Sneaker")})
    few = MEANINGS | {"hat": ("Bag",), "junk": ("Junk",)}
    assert TrainingPhotos.divide(folders, few).class_names[10:] == ("Junk", "Skirt")
    with pytest.raises(DataError, match="nothing to tell apart"):
        TrainingPhotos.divide(folders, dict.fromkeys(MEANINGS, ("Hat",)), only=True)


def test_a_network_learns_new_classes_and_says_so_in_its_record(
    folders: LabelledFolders, tmp_path: Path
) -> None:
    spec = get_spec("mlp")
    recipe = TorchRecipe(
        epochs=4, batch_size=20, ema_decay=0.5, translate=0, flip=False, photo_share=0.3,
        params={"features": "pixels"},
    )  # fmt: skip
    job = Job(spec, "quick", recipe, seed=0)
    given = replace(data(200, 50), photos=photos(folders))
    record = run(job, given, tmp_path)
    assert record.class_names == (*CLASS_NAMES, "Hat", "Skirt")
    assert record.photo_validation is not None
    assert record.photo_validation["macro_accuracy"] > 0.8
    assert set(record.photo_validation["folders"]) == {"hat", "shoes", "skirt", "trousers"}
    assert record.history[-1].photo_accuracy is not None
    assert record.validation_accuracy > 0.8
    assert TrainingRecord.read(tmp_path).class_names == record.class_names
    native = load_native(spec, tmp_path)
    assert native.probabilities(given.validation.pixels).shape == (50, 12)
    again = run(job, given, tmp_path, resume=True)
    assert again.finished == record.finished
    for others in (None, TrainingPhotos.divide(folders, MEANINGS | {"hat": ("Bag",)})):
        with pytest.raises(TrainingError, match="photos"):
            run(job, replace(given, photos=others), tmp_path, resume=True)


def test_photos_alone_are_a_data_set_of_their_own(folders: LabelledFolders, tmp_path: Path) -> None:
    found = photos(folders, only=True)
    given = TrainingData.of_photos(found)
    assert given.class_names == ("Hat", "Skirt", "Trouser")
    assert given.rounds == 20_000 // 66
    assert any("shoes, which may be one of several" in line for line in found.left_out)
    spec = get_spec("logreg")
    job = Job(spec, "quick", SklearnRecipe({"features": "pixels", "max_iter": 50}), seed=0)
    record = run(job, given, tmp_path)
    assert record.class_names == ("Hat", "Skirt", "Trouser")
    assert record.train_images == 66
    assert record.validation_accuracy == 1.0
    assert record.data_checksum.startswith("photos ")
    card, entry = exported(spec, tmp_path)
    assert card.class_names == ("Hat", "Skirt", "Trouser")
    assert card.test_accuracy is None
    assert card.caption == "Logistic regression"
    assert entry.metrics == {}


def test_two_classes_are_for_networks(folders: LabelledFolders, tmp_path: Path) -> None:
    two = MEANINGS | {"skirt": ()}
    given = TrainingData.of_photos(TrainingPhotos.divide(folders, two, only=True))
    job = Job(get_spec("logreg"), "quick", SklearnRecipe({"max_iter": 5}), seed=0)
    with pytest.raises(TrainingError, match="three classes or more"):
        run(job, given, tmp_path)


def test_a_classical_model_takes_photos_of_one_class_as_images(
    folders: LabelledFolders, tmp_path: Path
) -> None:
    spec = get_spec("logreg")
    job = Job(spec, "quick", SklearnRecipe({"features": "pixels", "max_iter": 50}), seed=0)
    record = run(job, replace(data(200, 50), photos=photos(folders)), tmp_path)
    assert record.photo_validation is not None
    assert record.photo_validation["folders"]["hat"] == 1.0
    card, entry = exported(spec, tmp_path)
    assert card.class_names == (*CLASS_NAMES, "Hat", "Skirt")
    assert card.test_accuracy == entry.metrics["test"]["accuracy"] > 0.5
    # It has learnt nothing of shoes, which may be one of several classes.
    assert entry.training["photo_validation"]["macro_accuracy"] == 0.75
