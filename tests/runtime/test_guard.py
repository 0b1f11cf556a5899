"""`--unknown`: what is strange has no label, whatever the model says of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded
from process import RunFmnist
from tinymodel import BOX, add_guard, card_of, tiny_guard, write_exported

import fmnist_cli
from fmnist_cli.contract import Pixels
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.export.graph import GraphBuilder, canonical, serialize
from fmnist_cli.inference.models import ModelFile, shipped_dir
from fmnist_cli.inference.ood import SHARES, Guard, GuardCard, known_share, open_guard

LEVELS = (10, 94, 96, 98, 200)  # of the frames; the limit is 95 by default


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a tiny model and a guard to which bright frames are strange."""
    return add_guard(write_exported(tmp_path_factory.mktemp("guarded")))


def frames() -> Pixels:
    """Frames of these mean levels, with some pattern for the model."""
    pixels = np.repeat(np.array(LEVELS, np.uint8), 784).reshape(-1, 28, 28).copy()
    pixels[:, :14] += 10
    pixels[:, 14:] -= 10
    return pixels


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for index, pixels in enumerate(frames()):
        (root / f"{index}.png").write_bytes(encoded(pixels))
    (root / "9.png").write_bytes(b"no picture")
    return root


def guard_of(content: bytes, share: float = 0.95) -> Guard:
    return Guard(ModelFile.of("guard", Path("guard.onnx"), content), share)


def test_the_limit_is_what_the_share_of_validation_images_does_not_exceed() -> None:
    for share in (0.5, 0.95, 0.9555, 0.999):
        guard = guard_of(tiny_guard(), share)
        assert guard.limit("frame") == pytest.approx(100 * share)
        assert guard.limit("photo") == guard.limit("product") == pytest.approx(200 * share)
    assert guard.novelty(frames()) == pytest.approx(LEVELS)


def test_strange_rows_lose_their_label_and_keep_the_rest(folder: Path) -> None:
    plain = list(fmnist_cli.classify(frames(), "cnn", models_dir=folder))
    asked = list(fmnist_cli.classify(frames(), "cnn", models_dir=folder, unknown=True))
    for before, after, level in zip(plain, asked, LEVELS, strict=True):
        assert isinstance(before, fmnist_cli.Prediction)
        assert after == (before if level < 95 else before._replace(class_id=None, label="unknown"))
    more = fmnist_cli.classify(frames(), "cnn", models_dir=folder, unknown_at=0.97)
    assert [row.label == "unknown" for row in more] == [False, False, False, True, True]  # type: ignore[union-attr]


def test_rows_do_not_depend_on_the_batch(folder: Path) -> None:
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 191, (21, 28, 28)).astype(np.uint8)
    together, one_by_one = (
        list(
            fmnist_cli.classify(
                pixels, "cnn", models_dir=folder, unknown=True, batch_size=size, workers=1
            )
        )
        for size in (64, 1)
    )
    assert together == one_by_one
    assert 0 < sum(row.label == "unknown" for row in together) < 21  # type: ignore[union-attr]


def test_the_limit_is_that_of_the_preparation(folder: Path) -> None:
    large = frames().repeat(2, axis=1).repeat(2, axis=2)  # so that they are no frames
    rows = list(
        fmnist_cli.classify(list(large), "cnn", models_dir=folder, unknown=True, prepare="product")
    )
    known = [row.label != "unknown" for row in rows]  # type: ignore[union-attr]
    assert known == [True] * 5  # up to 190; the brightest is negated


def test_the_command_writes_unknown_and_records_the_guard(
    folder: Path, pictures: Path, run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    common = ("classify", pictures, "-m", "cnn", "--models-dir", folder, "-o", out)
    done = run_fmnist(*common, "--unknown")
    assert done.code == 3, done.stderr
    assert "unknown" in done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["label"] == "unknown" for row in rows] == [False, False, True, True, True, False]
    assert {row["class_id"] for row in rows if row["label"] == "unknown"} == {None}
    assert all(row["top"] for row in rows[:5])
    record = json.loads((tmp_path / "rows.jsonl.run.json").read_text())
    assert record["options"]["unknown_at"] == 0.95
    assert len(record["options"]["guard file"]) == 64
    assert run_fmnist(*common, "--unknown", "--resume").code == 3
    refused = run_fmnist(*common, "--unknown-at", "0.99", "--resume")
    assert refused.code == 2
    assert "unknown_at" in refused.stderr


@pytest.mark.parametrize("share", ["0.2", "1", "nan"])
def test_impossible_shares_are_refused(
    share: str, folder: Path, pictures: Path, run_fmnist: RunFmnist
) -> None:
    done = run_fmnist("classify", pictures, "--unknown-at", share, "--models-dir", folder)
    assert done.code == 2
    assert "--unknown-at" in done.stderr
    assert "0.5 to 0.999" in done.stderr


def test_the_default_share_is_one_of_the_table() -> None:
    assert known_share("--unknown-at", None) == 0.95
    assert 0.95 in SHARES
    assert list(SHARES) == sorted(set(SHARES))


def test_a_folder_without_a_guard_takes_the_shipped_one(
    exported_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_guard(None, card_of("cnn"), exported_dir) is None
    guard = open_guard(0.95, card_of("cnn"), exported_dir)
    assert isinstance(guard, Guard)
    assert guard.path.parent == shipped_dir()
    monkeypatch.setattr("fmnist_cli.inference.models.shipped_dir", lambda: exported_dir)
    with pytest.raises(UsageError, match="fmnist train-guard"):
        open_guard(0.95, card_of("cnn"), exported_dir)


def test_a_guard_that_does_not_know_a_class_is_refused(folder: Path) -> None:
    assert open_guard(0.95, card_of("cnn", CLASS_NAMES[:3]), folder) is not None
    with pytest.raises(UsageError, match="does not know Hat"):
        open_guard(0.95, card_of("cnn", (*CLASS_NAMES, "Hat")), folder)


def test_a_model_that_says_how_novel_a_picture_is_needs_no_guard(folder: Path) -> None:
    card = card_of("photo")._replace(input=BOX, novelty_limits={"0.9": 3.0, "0.5": 1.0})
    for share, limit in ((0.5, 1), (0.7, 2), (0.9, 3), (0.999, 3)):
        guard = open_guard(share, card, folder)
        assert guard is not None
        assert guard.limit("letterbox") == pytest.approx(limit)
    with pytest.raises(UsageError, match=r"the guard knows frames of 28×28 only"):
        open_guard(0.95, card._replace(novelty_limits={}), folder)


def test_damaged_guards_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a usable ONNX model"):
        guard_of(b"nothing")
    with pytest.raises(ModelError, match="does not take 'pixels' and give 'novelty'"):
        guard_of((folder / "cnn.onnx").read_bytes())
    graph = GraphBuilder()
    numbers = graph.add("Cast", "pixels", to=1)
    most = graph.add("ReduceMax", numbers, graph.constant([1, 2], np.int64), keepdims=0)
    model = graph.build(most, None)
    with pytest.raises(ModelError, match="no readable card of a guard"):
        guard_of(serialize(canonical(model), card_of("guard")))
    damaged = add_guard(write_exported(tmp_path))
    (damaged / "guard.onnx").write_bytes(tiny_guard() + b" ")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        open_guard(0.95, card_of("cnn"), damaged)


def test_the_card_survives_its_metadata() -> None:
    card = GuardCard("1.2", CLASS_NAMES, {"frame": tuple(map(float, range(len(SHARES))))})
    assert set(card.limits(0.95)) == {"frame"}
    assert GuardCard.from_metadata(card.to_metadata()) == card
    with pytest.raises(ValueError, match="quantiles"):
        GuardCard.from_metadata({**card.to_metadata(), "quantiles": '{"frame": [1.0]}'})
