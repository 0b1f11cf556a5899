"""`fmnist classify` with one model for frames and another for all else."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded, frame, smooth
from process import RunFmnist
from tinymodel import BOX, add_guard, add_model, box_onnx, write_both, write_exported

import fmnist_cli
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import UsageError
from fmnist_cli.inference.models import open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.sources import open_source

Classify = Callable[..., Any]
NAMES = ("Hat", *CLASS_NAMES[3:])  # classes of the photo model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_exported(tmp_path_factory.mktemp("both"), "resnet")
    return add_model(folder, "photo", box_onnx(class_names=NAMES))


@pytest.fixture
def classify(run_fmnist: RunFmnist, models: Path) -> Classify:
    def run(*arguments: str | Path) -> Any:
        return run_fmnist("classify", *arguments, "--models-dir", models)

    return run


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames and photos in turns, and one picture that is none."""
    root = tmp_path_factory.mktemp("mixed")
    for index in range(60):
        photo = smooth(30 + index, 90 - index, 3, seed=index)
        content = encoded(photo, "JPEG") if index % 3 else encoded(frame(index))
        (root / f"{index:02}.png").write_bytes(content)
    (root / "07.png").write_bytes(b"no picture")
    return root


def rows_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_frames_go_to_one_model_and_all_else_to_the_other(
    classify: Classify, mixed: Path, models: Path
) -> None:
    done = classify(mixed)
    assert done.code == 3, done.stderr
    rows = rows_of(done.stdout)
    assert [row["path"] for row in rows] == [f"{index:02}.png" for index in range(60)]
    for index, row in enumerate(rows):
        if index == 7:
            assert (row["status"], row["model"]) == ("error", None)
        else:
            kind = ("photo", "letterbox") if index % 3 else ("resnet", "frame")
            assert (row["model"], row["prepared"]) == kind
    assert "resnet for frames, photo for all else" in done.stderr
    # Each row is that of its model alone, which says nothing of models.
    for name in ("resnet", "photo"):
        alone = {row["path"]: row for row in rows_of(classify(mixed, "-m", name).stdout)}
        for row in rows:
            if row["model"] == name:
                assert {**alone[row["path"]], "model": name} == row
                assert "model" not in alone[row["path"]]


def test_a_photo_s_row_says_what_the_model_said(
    classify: Classify, mixed: Path, models: Path
) -> None:
    (item,) = open_source(mixed / "01.png")
    pixels, _ = Framing(BOX)(item)
    said = Session(open_model("photo", models))(pixels[None])[0]
    (row,) = rows_of(classify(mixed / "01.png").stdout)
    assert row["class_id"] == int(said.argmax())
    assert row["label"] == NAMES[row["class_id"]]
    assert row["confidence"] == round(float(said.max()), 6)


@pytest.mark.parametrize("options", ["--workers 3 --batch-size 7", "--workers 2", "--batch-size 1"])
def test_rows_do_not_depend_on_workers_and_batches(
    classify: Classify, mixed: Path, options: str
) -> None:
    plain = classify(mixed, "--workers", "1")
    assert classify(mixed, *options.split()).stdout == plain.stdout


def test_every_output_says_the_model(classify: Classify, mixed: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    outputs = {kind: tmp_path / f"rows.{kind}" for kind in ("jsonl", "csv", "txt", "parquet")}
    words = [word for path in outputs.values() for word in ("-o", str(path))]
    page = tmp_path / "page.html"
    done = classify(mixed, *words, "--report", page)
    assert done.code == 3, done.stderr
    rows = rows_of(outputs["jsonl"].read_text())
    expected = [row["model"] for row in rows]
    with outputs["csv"].open(newline="") as file:
        assert [row["model"] or None for row in csv.DictReader(file)] == expected
    table = pq.read_table(outputs["parquet"])
    assert table.column("model").to_pylist() == expected
    for line, model in zip(outputs["txt"].read_text().splitlines(), expected, strict=True):
        assert line[22:29].strip() == (model or "")
    text = page.read_text(encoding="utf-8")
    assert "00.png \\u00b7 resnet" in text or "00.png · resnet" in text
    assert "01.png \\u00b7 photo" in text or "01.png · photo" in text
    assert "resnet for frames, photo for all else" in text
    record = json.loads((tmp_path / "rows.jsonl.run.json").read_text())["options"]
    assert record["model"] == "auto"
    assert {name: len(sha256) for name, sha256 in record["model file"].items()} == {
        "resnet": 64,
        "photo": 64,
    }


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_what_failed_is_retried(classify: Classify, mixed: Path, tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    target = tmp_path / f"rows.{kind}"
    assert classify(mixed, "-o", target).code == 3
    before = target.read_bytes()
    done = classify(mixed, "-o", target, "--retry-failed")
    assert done.code == 3, done.stderr
    assert target.read_bytes() == before


def test_files_are_read_when_a_picture_needs_them(
    run_fmnist: RunFmnist, mixed: Path, tmp_path: Path
) -> None:
    folder = write_both(tmp_path)
    content = bytearray((folder / "photo.onnx").read_bytes())
    content[len(content) // 3] ^= 1  # its card is at the end
    (folder / "photo.onnx").write_bytes(content)
    frames = run_fmnist("classify", mixed / "00.png", "--models-dir", folder)
    assert frames.code == 0, frames.stderr
    done = run_fmnist("classify", mixed, "--models-dir", folder)
    assert (done.code, done.stdout.count("photo")) == (1, 0)
    assert "photo.onnx is not the file" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_unknown_are_told_by_the_guard_and_by_the_model_itself(
    run_fmnist: RunFmnist, tmp_path: Path
) -> None:
    folder = add_guard(write_both(tmp_path / "models"))
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for level in (40, 94, 96, 200):
        frame = np.full((28, 28), level - 10, np.uint8)
        frame[:, 14:] = level + 10  # even pictures are blank
        (pictures / f"{level:03}-a.png").write_bytes(encoded(frame))
        photo = np.full((64, 48, 3), level - 10, np.uint8)
        photo[:, 24:] = level + 10
        (pictures / f"{level:03}-b.png").write_bytes(encoded(photo))
    done = run_fmnist("classify", pictures, "--models-dir", folder, "--unknown")
    unknown = {row["path"]: row["label"] == "unknown" for row in rows_of(done.stdout)}
    assert unknown == {f"{n:03}-{k}.png": n > 95 for n in (40, 94, 96, 200) for k in "ab"}
    done = run_fmnist("classify", pictures, "--models-dir", folder, "--unknown-at", "0.97")
    labels = [row["label"] for row in rows_of(done.stdout)]
    assert labels.count("unknown") == 2


def test_without_the_second_model_the_cure_is_named(
    run_fmnist: RunFmnist, mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_exported(tmp_path / "models", "resnet")
    monkeypatch.setattr("fmnist_cli.inference.models.shipped_dir", lambda: folder)
    with pytest.raises(UsageError, match=r"no 'photo' in .*: --model resnet"):
        list(fmnist_cli.classify(mixed, "auto", models_dir=folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prepare", "product"], "letterbox"),
        (["--embeddings", "-o", "rows.parquet"], "--model photo"),
        (["--provider", "abacus"], "choose from cpu"),
    ],
)
def test_what_two_models_cannot_do_together(
    classify: Classify, mixed: Path, options: list[str], message: str
) -> None:
    done = classify(mixed, *options)
    assert (done.code, done.stdout) == (2, "")
    assert message in done.stderr


def test_photos_given_to_a_model_of_frames_are_told(classify: Classify, mixed: Path) -> None:
    done = classify(mixed, "-m", "resnet")
    assert done.stderr.splitlines()[-1].startswith("note: most of these are no frames")
    assert "--model photo (or auto)" in done.stderr
    for options in (("--prepare", "product"), ("--quiet",), ("--include", "00.png")):
        assert "note: most" not in classify(mixed, "-m", "resnet", *options).stderr


# Embeddings.


def test_embeddings_are_a_column_of_parquet(
    classify: Classify, mixed: Path, models: Path, tmp_path: Path
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    target, lines = tmp_path / "rows.parquet", tmp_path / "rows.jsonl"
    words = ("-m", "photo", "--embeddings", "-o", lines, "-o", target)
    done = classify(mixed, *words)
    assert done.code == 3, done.stderr
    assert "embedding" not in lines.read_text()
    table = pq.read_table(target)
    assert str(table.schema.field("embedding").type) == "list<element: float>"
    column = table.column("embedding").to_pylist()
    session = Session(open_model("photo", models))
    framing = Framing(BOX)
    for item, row in zip(open_source(mixed), column, strict=True):
        if item.path == "07.png":
            assert row is None
            continue
        said = session.outputs(framing(item)[0][None], embedding=True).embedding
        assert said is not None
        np.testing.assert_array_equal(np.array(row, np.float32), said[0])
    before = target.read_bytes()
    assert classify(mixed, *words, "--retry-failed").code == 3
    assert target.read_bytes() == before


def test_embeddings_of_a_model_without_are_refused(classify: Classify, mixed: Path) -> None:
    pytest.importorskip("pyarrow")
    done = classify(mixed, "-m", "resnet", "--embeddings", "-o", "rows.parquet")
    assert done.code == 2
    assert "resnet has none" in done.stderr
    done = classify(mixed, "-m", "photo", "--embeddings")
    assert done.code == 2
    assert "-o FILE.parquet" in done.stderr


# From Python.


def test_two_models_from_python(mixed: Path, models: Path) -> None:
    rows = list(fmnist_cli.classify(mixed, "auto", models_dir=models))
    assert [getattr(row, "model", None) for row in rows][:4] == [
        "resnet",
        "photo",
        "photo",
        "resnet",
    ]
    with pytest.raises(UsageError, match="'auto' stands for two models"):
        fmnist_cli.load("auto", models_dir=models)
    arrays = [frame(1), smooth(50, 40, 3)]
    rows = list(fmnist_cli.classify(arrays, "auto", models_dir=models, workers=1))
    assert [getattr(row, "model", None) for row in rows] == ["resnet", "photo"]


def test_a_model_in_colour_from_python(mixed: Path, models: Path) -> None:
    model = fmnist_cli.load("photo", models_dir=models)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 48, 3), dtype=np.uint8)
    probabilities = model(pixels)
    assert probabilities.shape == (3, len(NAMES))
    np.testing.assert_allclose(model(pixels[1]), probabilities[1], atol=1e-6)
    with pytest.raises(UsageError, match=r"takes uint8 \[N, 64, 48, 3\]"):
        model(pixels[..., 0])
    rows = list(fmnist_cli.classify(pixels, model))
    assert [row.class_id for row in rows] == probabilities.argmax(axis=1).tolist()  # type: ignore[union-attr]
    assert {row.model for row in rows} == {None}  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="prepare frame is for models that take frames"):
        fmnist_cli.classify(pixels, model, prepare="frame")
