"""From photos to `isolate.onnx`, small."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from process import RunFmnist

from fmnist_cli.isolate.grabcut import grabcut
from fmnist_cli.isolate.job import read_photos
from fmnist_cli.isolate.masks import overlap
from fmnist_cli.isolate.views import Photos, ground_of, view
from fmnist_cli.runtime.isolate import open_isolator
from fmnist_cli.runtime.store import shipped_dir


def photo(seed: int, side: int = 160) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """A red blob on green texture, uint8 [side, side, 3], and where it is."""
    rng = np.random.default_rng(seed)
    ground = np.asarray(rng.integers(0, 60, (side, side, 3)) + np.array([40, 110, 50]), np.uint8)
    shape = np.zeros((side, side), np.uint8)
    center = (side // 2 + int(rng.integers(-10, 10)), side // 2 + int(rng.integers(-10, 10)))
    axes = (int(rng.integers(side // 5, side // 3)), int(rng.integers(side // 5, side // 3)))
    cv2.ellipse(shape, center, axes, 0, 0, 360, 1, -1)
    cloth = np.asarray(rng.integers(0, 30, (side, side, 3)) + np.array([180, 30, 40]), np.uint8)
    return np.where(shape[..., None] == 1, cloth, ground), shape == 1


def test_grabcut_finds_what_is_in_the_middle() -> None:
    image, truth = photo(0)
    assert overlap(grabcut(image) > 0.5, truth) > 0.9


def test_the_shipped_network_finds_it_as_well() -> None:
    isolate = open_isolator("photo", shipped_dir())
    assert isolate is not None
    shares = []
    for seed in range(8):
        image, truth = photo(seed, 128)
        found = cv2.resize(isolate(image), (128, 128), interpolation=cv2.INTER_LINEAR)
        shares.append(overlap(found > 0.5, truth))
    assert np.mean(shares) > 0.85


def test_the_ground_has_no_garment_left() -> None:
    image, truth = photo(1, 144)
    ground = ground_of(image, truth.astype(np.uint8))
    reds = ground[..., 0].astype(int) - ground[..., 1]
    assert (reds[truth] > 60).mean() < 0.02


def test_views_move_picture_and_mask_together() -> None:
    pairs = [photo(seed, 144) for seed in range(8)]
    images = torch.from_numpy(np.stack([image for image, _ in pairs]))
    masks = torch.from_numpy(np.stack([mask for _, mask in pairs]).astype(np.uint8))
    grounds = [ground_of(i, m.astype(np.uint8)) for i, m in pairs]
    photos = Photos(images, masks, torch.from_numpy(np.stack(grounds)))
    generator = torch.Generator().manual_seed(0)
    seen, covered = view(photos, torch.arange(8), 128, generator, pasted=0.0)
    assert seen.shape == (8, 128, 128, 3)
    assert covered.shape == (8, 64, 64)
    small = torch.nn.functional.interpolate(seen.permute(0, 3, 1, 2), size=(64, 64), mode="area")
    redness = (small[:, 0] - small[:, 1]).numpy()
    inside, outside = redness[covered.numpy() > 0.9], redness[covered.numpy() < 0.1]
    assert inside.mean() - outside.mean() > 60


def test_a_command_makes_the_part_and_notes_it(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(34):
        cv2.imwrite(str(tmp_path / "photos" / f"{seed}.png"), photo(seed)[0][..., ::-1])
    out = tmp_path / "exported"
    done = run_fmnist("train-isolate", tmp_path / "photos", "--epochs", "1", "-o", out)
    assert done.code == 0, done.stderr
    part = json.loads((out / "manifest.json").read_text())["parts"]["isolate"]
    assert part["bytes"] == (out / "isolate.onnx").stat().st_size <= 1_000_000
    assert part["training"]["photos"] == 34
    isolate = open_isolator("photo", out)
    assert isolate is not None
    assert isolate(photo(0, 128)[0]).shape == (64, 64)


def test_given_masks_are_learnt(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    photos, masks, out = (tmp_path / name for name in ("photos", "masks", "exported"))
    for folder in (photos / "dress", masks / "dress"):
        folder.mkdir(parents=True)
    for seed in range(36):
        image, truth = photo(seed)
        cv2.imwrite(str(photos / "dress" / f"{seed}.png"), image[..., ::-1])
        left = truth & (np.arange(len(truth)) < len(truth) // 2)  # GrabCut would find all of it
        if seed < 34:
            mask = cv2.resize(left.astype(np.uint8) * 255, (80, 80))
            if seed % 2:  # a cut-out, white on nothing
                mask = np.dstack([np.full((80, 80, 3), 255, np.uint8), mask])
            name = f"{seed}.png" if seed % 3 else f"{seed}.png.png"
            cv2.imwrite(str(masks / "dress" / name), mask)
    given, _ = read_photos(photos, print, masks)
    assert len(given.masks) == 34
    assert not given.masks[:, :, 80:].any()
    assert given.masks[:, 50:90, 40:60].float().mean() > 0.5
    options = ("--masks", masks, "--epochs", "1", "-o", out)
    done = run_fmnist("train-isolate", photos, *options)
    assert done.code == 0, done.stderr
    part = json.loads((out / "manifest.json").read_text())["parts"]["isolate"]
    assert part["training"]["left_out"] == 2
    assert "34 photos to learn from, 2 left out" in done.stderr
    assert part["training"]["masks"] == "given"


def test_masks_that_are_not_there_are_told(run_fmnist: RunFmnist, tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    photos.mkdir()
    for seed in range(34):
        cv2.imwrite(str(photos / f"{seed}.png"), photo(seed)[0])
    done = run_fmnist("train-isolate", photos, "--masks", masks)
    assert done.code == 2
    assert "there is no folder" in done.stderr
    masks.mkdir()
    done = run_fmnist("train-isolate", photos, "--masks", masks)
    assert done.code == 1
    assert "dress/1.png for dress/1.jpg" in done.stderr
    done = run_fmnist("train-isolate", photos, "--masks", photos)
    assert done.code == 2
    assert "put them in a folder of their own" in done.stderr


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_photos_are_told(run_fmnist: RunFmnist, tmp_path: Path, count: int) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(count):
        cv2.imwrite(str(tmp_path / "photos" / f"{seed}.png"), photo(seed)[0])
    done = run_fmnist("train-isolate", tmp_path / "photos", "-o", tmp_path / "exported")
    assert done.code == 1
    assert "at least 32 are needed" in done.stderr
    assert not (tmp_path / "exported").exists()
