"""What a fit of a network sees: every view of the photo that was drawn, and of no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from photofolders import write_photos
from synthetic import data

from fmnist_cli.models.recipes import TorchRecipe
from fmnist_cli.training.material import Material
from fmnist_cli.training.photos import TrainingPhotos

AS_THEY_ARE = TorchRecipe(epochs=1, translate=0, flip=False, batch_size=16, photo_share=0.5)


def test_a_photo_is_shown_in_any_of_its_views_with_its_own_truth(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "mine", {"hat": 7, "skirt": 8})
    read = TrainingPhotos.read(root)
    count = len(read.fitted)
    values = 10 * np.arange(count)[:, None] + np.arange(5)  # photo and view
    views = np.broadcast_to(values[:, :, None, None], (count, 5, 28, 28)).astype(np.uint8)
    given = replace(data(40, 10), photos=replace(read, fitted=replace(read.fitted, views=views)))
    material = Material.of(given, AS_THEY_ARE, torch.device("cpu"))
    assert material.batches.taken == 8
    shown = []
    generator = torch.Generator().manual_seed(1)
    for _ in range(10):
        for chosen, images in material.batches.draw(generator):
            batch, truth, _ = material.seen(chosen, images, AS_THEY_ARE, generator)
            assert torch.equal(batch[:images], material.pixels[chosen[:images]])
            photos = chosen[images:] - 40
            assert torch.equal(batch[images:, 0, 0] // 10, photos.to(torch.uint8))
            allowed = torch.tensor(read.fitted.allowed)[photos]
            assert torch.equal(truth[images:], allowed)
            shown += batch[images:, 0, 0].tolist()
    assert {value % 10 for value in shown} == {0, 1, 2, 3, 4}
    assert {value // 10 for value in shown} == set(range(count))
