"""Pictures with nothing in them, and pictures with hardly anything."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from faulty import Faulty
from packing import as_folder
from pictures import encoded
from PIL import Image

SHAPE = 160, 120
RNG = np.random.default_rng(0)


def _speck() -> np.ndarray:
    pixels = np.full(SHAPE, 255, np.uint8)
    pixels[40, 70] = 0
    return pixels


def _noise(levels: int) -> np.ndarray:
    return (250 + RNG.integers(-levels, levels + 1, (*SHAPE, 3))).astype(np.uint8)


def _shirt(ground: int, item: int) -> np.ndarray:
    pixels = np.full((*SHAPE, 3), ground, np.uint8)
    outline = np.array([[30, 40], [90, 40], [115, 70], [90, 80], [90, 140], [30, 140], [5, 70]])
    return cv2.fillPoly(pixels, [outline.astype(np.int32)], (item, item, item))


BLANK = {
    "black-frame.png": encoded(np.zeros((28, 28), np.uint8)),
    "grey-frame.png": encoded(np.full((28, 28), 90, np.uint8)),
    "white.jpg": encoded(np.full((*SHAPE, 3), 255, np.uint8), "JPEG"),
    "red.png": encoded(Image.new("RGB", SHAPE, "red")),
    "transparent.png": encoded(Image.new("RGBA", SHAPE, (10, 20, 30, 0))),
    "deep.png": encoded(np.full(SHAPE, 30_000, np.uint16)),
    "noise.jpg": encoded(_noise(2), "JPEG", quality=95),
    "speck.png": encoded(_speck()),
    "line.png": encoded(np.full((1, 900), 255, np.uint8)),
}
SEEN = {
    "white-on-white.jpg": encoded(_shirt(255, 244), "JPEG", quality=60),
    "black-on-black.jpg": encoded(_shirt(0, 12), "JPEG", quality=60),
    "faint-frame.png": encoded(cv2.resize(_shirt(0, 8)[..., 0], (28, 28))),
}


def _rows(fmnist: Faulty, folder: Path, model: str, code: int) -> dict[str, str]:
    outcome = fmnist("classify", folder, "-m", model, "--workers", "1")
    assert outcome.code == code, outcome.said
    return {row["path"]: row["error"] or row["status"] for row in outcome.rows}


def test_blank_for_a_model_of_frames(fmnist: Faulty, tmp_path: Path) -> None:
    """each has a row that says so"""
    rows = _rows(fmnist, as_folder(BLANK, tmp_path / "in"), "cnn", 3)
    assert set(rows.values()) == {"blank: nothing can be seen in this picture"}


def test_blank_for_a_model_of_photos(fmnist: Faulty, tmp_path: Path) -> None:
    """each has a row that says so"""
    rows = _rows(fmnist, as_folder(BLANK, tmp_path / "in"), "photo", 3)
    assert set(rows.values()) == {"blank: nothing can be seen in this picture"}


def test_pale_pictures(fmnist: Faulty, tmp_path: Path) -> None:
    """white on white, black on black: labelled"""
    for model in ("cnn", "photo"):
        rows = _rows(fmnist, as_folder(SEEN, tmp_path / "in"), model, 0)
        assert set(rows.values()) == {"ok"}
