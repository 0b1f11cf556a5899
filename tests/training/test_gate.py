"""The gate of a mixture: it opens for photos, however few there are, and not for plain images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photofolders import write_photos
from synthetic import data, images
from torch import nn

from fmnist_cli.models.gated import Gated, build_gate
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.training import gate
from fmnist_cli.training.augment import draw_view, see
from fmnist_cli.training.photographed import photographed
from fmnist_cli.training.photos import TrainingPhotos


def share(model: PixelClassifier, pixels: torch.Tensor) -> float:
    """Of the images, for which the gate opens."""
    assert isinstance(model.network, Gated)
    with torch.inference_mode():
        return float((model.network.gate(model.normalize(pixels)) > 0).float().mean())


@pytest.mark.parametrize("photos", [0, 12, 40])
def test_the_gate_opens_for_what_is_no_plain_image(
    photos: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_ENOUGH", 300)
    given = data(600, 40)
    if photos:
        root = write_photos(tmp_path / "mine", {"hat": photos // 2, "skirt": photos // 2})
        read = TrainingPhotos.read(root)
        negative = replace(read.fitted, views=255 - read.fitted.views)  # bright all over
        given = replace(given, photos=replace(read, fitted=negative))
    torch.manual_seed(0)
    model = PixelClassifier(Gated(nn.Identity(), nn.Identity(), build_gate()))
    gate.fit_gate(model, given, seed=0)
    generator = torch.Generator().manual_seed(9)
    plain = torch.tensor(images(200, seed=5).pixels)
    plain = see(plain, draw_view(200, 2, True, generator), 2)
    assert share(model, plain) < 0.2
    if photos < 40:  # more, and the gate learns from photos alone
        seen = photographed(plain, torch.zeros(200, dtype=torch.bool), generator)
        assert share(model, seen) > 0.8
    if given.photos is not None:
        assert share(model, torch.tensor(given.photos.fitted.pixels)) > 0.8
