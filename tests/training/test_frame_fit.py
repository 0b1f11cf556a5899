"""Views of frames, and a student that learns from what its teacher said of the view it sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic import data, images
from tinymodel import write_exported

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.errors import TrainingError, UsageError
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.models.registry import TorchRecipe, get_spec
from fmnist_cli.training.frame_fit import draw_view, erase, judge_views, see
from fmnist_cli.training.job import Job, TrainingData, in_order
from fmnist_cli.training.parents import Teacher
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import TrainingRecord, load_native
from fmnist_cli.training.run import train

RECIPE = TorchRecipe(epochs=2, batch_size=50, ema_decay=0.5, translate=1)


def judge(pixels: Pixels) -> Probabilities:
    """An opinion that tells every view from every other: where the brightness lies."""
    values = pixels.astype(np.float64)
    total = values.sum(axis=(1, 2))
    down = (values.sum(axis=2) * np.arange(28)).sum(axis=1) / total
    across = (values.sum(axis=1) * np.arange(28)).sum(axis=1) / total
    return np.stack([down, abs(across - 13.5)], axis=1).astype(np.float32)


def test_the_table_holds_each_view_where_training_looks_it_up() -> None:
    pixels = images(40).pixels
    table = judge_views(judge, pixels, 2, Reporter())
    assert table.shape == (40, 5, 5, 2)
    view = draw_view(40, 2, True, torch.Generator().manual_seed(3))
    seen = see(torch.tensor(pixels), view, 2).numpy()
    looked_up = table[torch.arange(40), view.top, view.left]
    np.testing.assert_allclose(looked_up, judge(seen), atol=0.01)
    assert len(view.mirrored.unique()) == 2


def named(name: str) -> Teacher:
    """A teacher without a file."""
    return Teacher(
        {"model": name, "sha256": name * 8},
        lambda pixels: np.eye(10, dtype=np.float32)[pixels[:, 14, 14] % 10],
        ModelFile.of(name, Path(f"{name}.onnx"), b""),
    )


def student(*teachers: Teacher, teacher: str = "") -> Job:
    changed = TorchRecipe(
        epochs=2,
        batch_size=50,
        ema_decay=0.5,
        translate=1,
        teachers=(teacher,) if teacher else (),
        teacher_share=1.0,
    )
    return Job(get_spec("cnn"), "quick", changed, 0, teachers)


def fit(job: Job, folder: Path, images_of: TrainingData | None = None) -> TrainingRecord:
    return train(
        job,
        images_of or data(),
        folder,
        device=torch.device("cpu"),
        resume=False,
        reporter=Reporter(),
    )


def test_a_run_says_who_taught_it(tmp_path: Path) -> None:
    teacher = fit(Job(get_spec("mlp"), "quick", RECIPE, 0), tmp_path / "mlp")
    record = fit(student(teacher="mlp"), tmp_path / "cnn")
    assert [parent["model"] for parent in record.parents] == ["mlp"]
    assert record.parents[0]["validation_accuracy"] == teacher.validation_accuracy
    assert len(record.parents[0]["sha256"]) == 64
    assert TrainingRecord.read(tmp_path / "cnn").parents[0]["seed"] == 0
    tables = list(tmp_path.glob("soft-labels-*"))
    assert len(tables) == 1
    before = tables[0].stat().st_mtime_ns
    again = fit(student(teacher="mlp"), tmp_path / "cnn")
    assert list(tmp_path.glob("soft-labels-*")) == tables
    assert tables[0].stat().st_mtime_ns == before
    assert again.validation_loss == record.validation_loss


def test_exported_models_teach_by_their_mean(tmp_path: Path) -> None:
    record = fit(student(named("a"), named("b")), tmp_path / "cnn")
    assert [parent["model"] for parent in record.parents] == ["a", "b"]
    assert len(list(tmp_path.glob("soft-labels-*"))) == 2
    with pytest.raises(UsageError, match="knows other classes"):
        Teacher.of("cnn", write_exported(tmp_path / "other", class_names=("Hat", "Skirt")))


def test_a_student_with_a_share_of_one_hears_no_labels(tmp_path: Path) -> None:
    fit(Job(get_spec("mlp"), "quick", RECIPE, 0), tmp_path / "mlp")
    right, pixels = data(), data().validation.pixels
    wrong = replace(right, train=replace(right.train, labels=(right.train.labels + 1) % 10))
    fit(student(teacher="mlp"), tmp_path / "cnn", right)
    first = load_native(get_spec("cnn"), tmp_path / "cnn").probabilities(pixels)
    fit(student(teacher="mlp"), tmp_path / "cnn", wrong)
    second = load_native(get_spec("cnn"), tmp_path / "cnn").probabilities(pixels)
    assert np.array_equal(first, second)
    fit(Job(get_spec("cnn"), "quick", RECIPE, 0), tmp_path / "cnn", wrong)
    untaught = load_native(get_spec("cnn"), tmp_path / "cnn").probabilities(pixels)
    assert np.abs(first - untaught).max() > 0.001


def test_a_missing_teacher_is_named_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cnn is made from mlp.*run first: fmnist train mlp"):
        in_order([student(teacher="mlp")], tmp_path)


def test_a_teacher_of_another_preset_is_refused_unless_named(tmp_path: Path) -> None:
    fit(Job(get_spec("mlp"), "best", RECIPE, 0), tmp_path / "mlp")
    with pytest.raises(TrainingError, match="a run of preset best"):
        in_order([student(teacher="mlp")], tmp_path)
    assert in_order([student(named("mlp"))], tmp_path)


def test_teachers_come_first(tmp_path: Path) -> None:
    jobs = [student(teacher="mlp"), Job(get_spec("mlp"), "quick", RECIPE, 0)]
    assert [job.spec.name for job in in_order(jobs, tmp_path)] == ["mlp", "cnn"]


def test_only_networks_can_be_taught() -> None:
    with pytest.raises(UsageError, match="knn learns from labels alone"):
        Job.of(get_spec("knn"), "quick", 0, teachers=(named("a"),))


@pytest.mark.parametrize(
    "change",
    [{"split_seed": 1}, {"checksum": "another"}, {"checksum": f"{data().checksum}, fold 1 of 4"}],
)
def test_a_teacher_that_may_know_the_validation_images_is_refused(
    change: dict[str, Any], tmp_path: Path
) -> None:
    fit(Job(get_spec("mlp"), "quick", RECIPE, 0), tmp_path / "mlp")
    with pytest.raises(TrainingError, match=r"may know the validation images.*fmnist train mlp"):
        fit(student(teacher="mlp"), tmp_path / "cnn", replace(data(), **change))
    fewer = replace(data(), checksum=f"{data().checksum}, 1 images left out (0)")
    fit(student(teacher="mlp"), tmp_path / "cnn", fewer)


def batch(count: int = 64) -> torch.Tensor:
    pixels = torch.zeros(count, 28, 28, dtype=torch.uint8)
    pixels[:, 10:14, 6:9] = torch.arange(1, 13, dtype=torch.uint8).reshape(4, 3)
    return pixels


def run(seed: int = 0, **changes: object) -> torch.Tensor:
    plain = {"epochs": 1, "translate": 0, "flip": False, "erase": 0.0}
    recipe = TorchRecipe(**(plain | changes))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(seed)
    view = draw_view(len(batch()), recipe.translate, recipe.flip, generator)
    return erase(see(batch(), view, recipe.translate), recipe.erase, generator)


def test_nothing_asked_nothing_changed() -> None:
    assert torch.equal(run(), batch())


def test_the_generator_decides() -> None:
    assert torch.equal(run(1, translate=2, erase=0.5), run(1, translate=2, erase=0.5))
    assert not torch.equal(run(1, translate=2, erase=0.5), run(2, translate=2, erase=0.5))


def test_shifts_stay_in_reach_and_lose_nothing() -> None:
    shifted = run(translate=2)
    rows = shifted.amax(2).ne(0).float().argmax(1)
    columns = shifted.amax(1).ne(0).float().argmax(1)
    assert set((rows - 10).tolist()) == set((columns - 6).tolist()) == {-2, -1, 0, 1, 2}
    assert (shifted.sum((1, 2)) == batch().sum((1, 2))).all()


def test_about_half_are_mirrored() -> None:
    flipped = run(flip=True)
    mirrored = [torch.equal(image, batch(1)[0].flip(1)) for image in flipped]
    kept = [torch.equal(image, batch(1)[0]) for image in flipped]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 20 <= sum(mirrored) <= 44


def test_erasing_overwrites_one_rectangle_in_the_asked_share() -> None:
    erased = run(erase=0.5)
    changed = [image.ne(batch(1)[0]) for image in erased]
    assert 18 <= sum(bool(mask.any()) for mask in changed) <= 46
    for image, mask in zip(erased, changed, strict=True):
        outside = image[~mask]
        assert torch.equal(outside, batch(1)[0][~mask])
        assert len(image[mask].unique()) <= 1
