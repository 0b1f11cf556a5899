"""Run folders: provenance, subsets, damaged files, and what may be loaded."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from skops.io import dump
from synthetic import data, images

from fmnist_cli.errors import ModelError, TrainingError
from fmnist_cli.models.features import PixelFeatures
from fmnist_cli.models.registry import SklearnRecipe, TorchRecipe, get_spec
from fmnist_cli.training.job import Job
from fmnist_cli.training.progress import PlainReporter, Reporter, RichReporter
from fmnist_cli.training.record import (
    Epoch,
    TrainingRecord,
    load_native,
    load_pipeline,
    load_state,
    load_tensors,
    save_pipeline,
)
from fmnist_cli.training.run import announce, choose_device, subset, train

CPU = torch.device("cpu")


def mlp_job(seed: int = 0) -> Job:
    return Job(get_spec("mlp"), "quick", TorchRecipe(epochs=1, batch_size=50, ema_decay=0.5), seed)


def run(job: Job, folder: Path, *, resume: bool = False) -> TrainingRecord:
    return train(job, data(), folder, device=CPU, resume=resume, reporter=Reporter())


def test_a_finished_run_reads_back_as_it_was(tmp_path: Path) -> None:
    record = run(mlp_job(), tmp_path)
    assert TrainingRecord.read(tmp_path) == record
    assert record.data_checksum == "synthetic"
    assert record.train_images == 200
    assert record.recipe["batch_size"] == 50
    assert record.history[0].validation_accuracy > 0.1
    assert {path.name for path in tmp_path.iterdir()} == {"record.json", "weights.safetensors"}
    probabilities = load_native(get_spec("mlp"), tmp_path).probabilities(data().validation.pixels)
    agreement = (probabilities.argmax(1) == data().validation.labels).mean()
    assert agreement == pytest.approx(record.validation_accuracy)


def test_a_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    record = run(mlp_job(), tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    values |= {"photos": None, "photo_validation": None}
    values["history"][0]["photo_accuracy"] = None
    (tmp_path / "record.json").write_text(json.dumps(values))
    assert TrainingRecord.read(tmp_path) == record


def test_resume_keeps_a_finished_run_and_refuses_another_one(tmp_path: Path) -> None:
    first = run(mlp_job(), tmp_path)
    assert run(mlp_job(), tmp_path, resume=True) == first
    with pytest.raises(TrainingError, match=r"seed 0, not 1.*--runs-dir"):
        run(mlp_job(seed=1), tmp_path, resume=True)
    assert TrainingRecord.read(tmp_path) == first
    assert run(mlp_job(seed=1), tmp_path).seed == 1


def test_a_finished_run_stands_until_the_next_one_is_finished(tmp_path: Path) -> None:
    class Interrupts(Reporter):
        def epoch(self, epoch: Epoch, epochs: int) -> None:
            raise KeyboardInterrupt

    first = run(mlp_job(), tmp_path)
    pixels = data().validation.pixels
    before = load_native(get_spec("mlp"), tmp_path).probabilities(pixels)
    with pytest.raises(KeyboardInterrupt):
        train(mlp_job(seed=1), data(), tmp_path, device=CPU, resume=False, reporter=Interrupts())
    assert TrainingRecord.read(tmp_path) == first
    after = load_native(get_spec("mlp"), tmp_path).probabilities(pixels)
    assert np.array_equal(before, after)
    # And the interrupted one goes on when asked to, as the message promises.
    assert run(mlp_job(seed=1), tmp_path, resume=True).seed == 1
    assert not (tmp_path / "pending.json").exists()


def test_an_announced_run_is_made_in_place_of_the_finished_one(tmp_path: Path) -> None:
    run(mlp_job(), tmp_path)
    announce(mlp_job(seed=1), data(), tmp_path)  # train-all, interrupted before its turn
    with pytest.raises(TrainingError, match="seed 1, not 0"):
        run(mlp_job(), tmp_path, resume=True)
    assert run(mlp_job(seed=1), tmp_path, resume=True).seed == 1


def test_a_damaged_announcement_is_told(tmp_path: Path) -> None:
    (tmp_path / "pending.json").write_text("nonsense")
    with pytest.raises(TrainingError, match="without --resume"):
        run(mlp_job(), tmp_path, resume=True)


def test_a_classical_model_is_reproducible_and_has_curves(tmp_path: Path) -> None:
    recipe = SklearnRecipe({"trees": 5, "max_leaf_nodes": 20}, samples=100)
    job = Job(get_spec("random-forest"), "quick", recipe, 3)
    record = run(job, tmp_path / "a")
    run(job, tmp_path / "b")
    assert record.train_images == 100
    assert len(record.history) == 1
    pixels = data().validation.pixels
    one, other = (
        load_native(job.spec, tmp_path / name).probabilities(pixels) for name in ("a", "b")
    )
    assert np.array_equal(one, other)


def test_running_out_of_iterations_is_recorded(tmp_path: Path) -> None:
    job = Job(get_spec("logreg"), "quick", SklearnRecipe({"max_iter": 2}), 0)
    assert run(job, tmp_path).converged is False


def test_subset_takes_equally_of_each_class() -> None:
    chosen = subset(images(200), 50, seed=0)
    assert np.bincount(chosen.labels).tolist() == [5] * 10
    again = subset(images(200), 50, seed=0)
    assert np.array_equal(chosen.pixels, again.pixels)
    assert subset(images(200), None, seed=0).pixels.shape[0] == 200


def test_cuda_is_not_replaced_by_the_cpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(TrainingError, match="no CUDA device"):
        choose_device("cuda")
    assert choose_device("auto") == CPU


def test_missing_and_damaged_runs_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no finished training run .* fmnist train cnn"):
        TrainingRecord.read(tmp_path / "cnn")
    (tmp_path / "record.json").write_text('{"model": "cnn"}')
    with pytest.raises(ModelError, match="cannot read the training record"):
        TrainingRecord.read(tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot read the weights"):
        load_tensors(tmp_path / "weights.safetensors")
    with pytest.raises(TrainingError, match="without --resume"):
        load_state(tmp_path / "weights.safetensors")
    (tmp_path / "model.skops").write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot read the model"):
        load_pipeline(tmp_path / "model.skops", ())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    run(mlp_job(), tmp_path)
    with pytest.raises(ModelError, match="does not fit the network cnn"):
        load_native(get_spec("cnn"), tmp_path)


class Surprise:
    """A type of someone else's."""


def test_types_outside_the_list_are_not_loaded(tmp_path: Path) -> None:
    dump(Surprise(), tmp_path / "model.skops")
    with pytest.raises(ModelError, match="does not load"):
        load_pipeline(tmp_path / "model.skops", ())


def test_trees_that_point_outside_their_arrays_are_refused(tmp_path: Path) -> None:
    forest = make_pipeline(
        PixelFeatures(scale=1.0), RandomForestClassifier(2, max_depth=3, random_state=0)
    )
    few = images(50)
    path = tmp_path / "model.skops"
    save_pipeline(path, forest.fit(few.pixels, few.labels))
    trusted = get_spec("random-forest").load().TRUSTED
    load_pipeline(path, trusted)  # intact, it loads
    forest[-1].estimators_[0].tree_.feature[0] = 9999
    save_pipeline(path, forest)
    with pytest.raises(ModelError, match="indices are out of range"):
        load_pipeline(path, trusted)


def test_run_folders_hold_no_pickle(tmp_path: Path) -> None:
    run(Job(get_spec("knn"), "quick", SklearnRecipe({"components": 5}), 0), tmp_path)
    with zipfile.ZipFile(tmp_path / "model.skops") as archive:
        assert {Path(name).suffix for name in archive.namelist()} <= {".json", ".npy"}
        schema = json.loads(archive.read("schema.json"))
    assert schema["__class__"] == "Pipeline"


def test_a_log_says_now_and_then_how_far_an_epoch_is_and_how_much_few_images_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = replace(data(), validation=subset(data().validation, 40, seed=0))

    def told(folder: Path) -> list[str]:
        reporter = PlainReporter(1)
        train(mlp_job(), few, folder, device=CPU, resume=False, reporter=reporter)
        return [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()]

    lines = told(tmp_path)
    assert [line.split()[0] for line in lines] == ["started", "epoch", lines[2].split()[0]]
    right = round(TrainingRecord.read(tmp_path).validation_accuracy * 40)
    assert lines[2].startswith(f"validation accuracy {right} of 40 (95 %: ")
    monkeypatch.setattr("fmnist_cli.training.progress._SILENCE", -1)
    lines = told(tmp_path / "again")
    steps = [line.partition(" (after")[0] for line in lines if "step" in line]
    assert steps == [f"epoch 1/1, step {step} of 4" for step in (1, 2, 3, 4)]


def test_a_terminal_shows_the_stage_and_how_far_an_epoch_is() -> None:
    screen = io.StringIO()
    reporter = RichReporter(Console(file=screen, force_terminal=True, width=200), 1)
    with reporter.bars:
        reporter.start("photo", 20)
        reporter.stage("without fold 1 of 3")
        reporter.step("epoch 1/2, step 3 of 10")
    assert "without fold 1 of 3: epoch 1/2, step 3 of 10" in screen.getvalue()
