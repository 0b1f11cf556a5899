"""`fmnist prepare`, and `fmnist classify --save-prepared`: what the models see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from packing import as_zip
from pictures import encoded, frame
from PIL import Image
from process import RunFmnist
from tinymodel import BOX, box_onnx

from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.html.folder import PANEL
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.sinks.frames import FrameFolder
from fmnist_cli.sources.items import HeldItem


def product() -> bytes:
    pixels = np.full((120, 90, 3), 255, np.uint8)
    pixels[20:100, 30:70] = (180, 40, 60)
    return encoded(pixels, "JPEG", quality=90)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A frame, a product, a photo in colour, and one that is broken."""
    root = tmp_path / "pictures <b>"
    (root / "sub").mkdir(parents=True)
    (root / "a.png").write_bytes(encoded(frame(1)))
    (root / "broken.png").write_bytes(b"no picture")
    (root / "sub" / "item.jpg").write_bytes(product())
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    noise[20:60, 30:70] = (250, 20, 20)
    (root / "sub" / "photo.png").write_bytes(encoded(noise))
    return root


def test_before_and_after(run_fmnist: RunFmnist, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run_fmnist("prepare", folder, "-o", out)
    assert done.code == 3, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["frame", "a.png"],
        ["rejected", "broken.png:"],
        ["product", "sub/item.jpg"],
        ["product", "sub/photo.png"],
    ]
    names = ["0001-a.png", "0002-item.png", "0003-photo.png", "index.html"]
    assert sorted(path.name for path in out.iterdir()) == names
    image = np.asarray(Image.open(out / "0002-item.png").convert("RGB"))
    expected, _ = Framing(FRAME_SPEC)(HeldItem("", product()))
    after = image[22 : 22 + PANEL, 16 + PANEL : 16 + 2 * PANEL]
    np.testing.assert_array_equal(after[::8, ::8, 0], expected)
    red = image[22 + PANEL // 2, 8 + PANEL // 2].astype(int)
    assert red[0] > red[1] + 100
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 3
    assert "broken.png" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")

    again = run_fmnist("prepare", folder, "-o", out)
    assert again.code == 2
    assert "--force" in again.stderr


def test_what_a_model_in_colour_sees(run_fmnist: RunFmnist, folder: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", tmp_path / "box.onnx"
    model.write_bytes(box_onnx())
    done = run_fmnist("prepare", folder / "sub", "-m", model, "-o", out)
    assert (done.code, done.stdout) == (0, "letterbox  item.jpg\nletterbox  photo.png\n")
    image = np.asarray(Image.open(out / "0001-item.png").convert("RGB"))
    expected, _ = Framing(BOX)(HeldItem("", product()))
    middle = image[22 + PANEL // 2, 16 + PANEL + PANEL // 2].astype(int)
    assert abs(middle - expected[32, 24]).max() == 0
    assert middle[0] > middle[1] + 100
    assert 'width="48" height="64"' in (out / "index.html").read_text(encoding="utf-8")
    done = run_fmnist("prepare", folder, "-m", model, "--prepare", "product")
    assert done.code == 2
    assert "letterbox" in done.stderr


def test_without_a_folder_it_says_what_was_chosen(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    archive = tmp_path / "pictures.zip"
    as_zip({"b.jpg": product(), "c.png": encoded(frame(2))}, archive)
    done = run_fmnist("prepare", archive)
    assert (done.code, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["product", "b.jpg"],
        ["frame", "c.png"],
    ]
    done = run_fmnist("prepare", archive, "--prepare", "photo")
    assert done.code == 2
    assert "choose from auto, frame, product" in done.stderr


def test_classify_saves_what_the_model_saw(
    run_fmnist: RunFmnist, folder: Path, exported_dir: Path, tmp_path: Path
) -> None:
    frames, rows = tmp_path / "frames", tmp_path / "rows.jsonl"
    command = ("classify", folder, "-m", "cnn", "--models-dir", exported_dir, "-o", rows)
    command = (*command, "--save-prepared", frames)
    done = run_fmnist(*command)
    assert done.code == 3, done.stderr
    saved = {p.relative_to(frames).as_posix() for p in frames.rglob("*") if p.is_file()}
    assert saved == {"a.png", "sub/item.jpg.png", "sub/photo.png"}
    np.testing.assert_array_equal(np.asarray(Image.open(frames / "a.png")), frame(1))
    prepared = [json.loads(line)["prepared"] for line in rows.read_text().splitlines()]
    assert prepared == ["frame", None, "product", "product"]
    # What the model saw is what it says the same of.
    again = run_fmnist("classify", frames, "-m", "cnn", "--models-dir", exported_dir)
    labels = [json.loads(line)["top"] for line in again.stdout.splitlines()]
    first = [json.loads(line)["top"] for line in rows.read_text().splitlines()]
    assert labels == [top for top in first if top]

    done = run_fmnist(*command)
    assert done.code == 2
    assert "not empty" in done.stderr
    assert run_fmnist(*command, "--resume").code == 3
    inside = run_fmnist(*command[:-1], folder / "frames")
    assert inside.code == 2
    assert "would become input itself" in inside.stderr


def test_what_a_model_in_colour_saw_is_saved_in_colour(
    run_fmnist: RunFmnist, folder: Path, tmp_path: Path
) -> None:
    model, seen = tmp_path / "box.onnx", tmp_path / "seen"
    model.write_bytes(box_onnx())
    done = run_fmnist("classify", folder / "sub", "-m", model, "--save-prepared", seen)
    assert done.code == 0, done.stderr
    expected, _ = Framing(BOX)(HeldItem("", product()))
    np.testing.assert_array_equal(np.asarray(Image.open(seen / "item.jpg.png")), expected)


def test_frames_go_nowhere_else_and_replace_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    save = FrameFolder(out)
    for path in ("../up.png", "/abs.png", "a", "a/b.png", "a.png", "x.jpg", "x.jpg"):
        save(path, frame(len(path)))
    names = [p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()]
    assert len(names) == 6
    assert "x.jpg.png" in names
    assert not list(tmp_path.glob("*.png"))
    for seed, path in enumerate(("same.png", "same")):
        save(path, frame(seed))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "same.png")), frame(0))
    assert len(list(out.rglob("*.png"))) == 8


def test_bench_wants_pictures_to_prepare(run_fmnist: RunFmnist, exported_dir: Path) -> None:
    done = run_fmnist("bench", "--prepare", "product", "--models-dir", exported_dir)
    assert done.code == 2
    assert "--images" in done.stderr
