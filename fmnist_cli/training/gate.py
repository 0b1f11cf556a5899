"""Fitting the gate of a mixture whose networks are finished."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from fmnist_cli.models.gated import Gated
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.training.augment import draw_view, see
from fmnist_cli.training.job import TrainingData
from fmnist_cli.training.photographed import photographed
from fmnist_cli.training.torch_fit import TorchFit, fit_temperature, one_cycle

_IMAGES = 30_000  # of Fashion-MNIST
_PHOTO_VIEWS = 10  # of each photo
_ENOUGH = _IMAGES // 2  # views of photos; fewer are joined by images as if photographed
_EPOCHS, _BATCH, _RATE = 12, 256, 3e-3


def add_gate(fit: TorchFit, network: Gated, data: TrainingData, seed: int) -> TorchFit:
    """The finished fit of ``network.trained`` as one of the whole mixture, gate fitted.

    Args:
        fit: of the part that was trained on; its model is left as it is.
        network: the mixture, with `known` as it started.
        data: the images of the fit.
        seed: of everything random.
    """
    part = fit.model
    network.trained.load_state_dict(part.network.state_dict())
    model = PixelClassifier(
        network, float(part.mean), float(part.std), mirror_average=part.mirror_average
    )
    fit_gate(model, data, seed)
    temperature = fit_temperature(model, data.validation)
    model.temperature.fill_(temperature)
    return replace(fit, model=model, temperature=temperature)


def fit_gate(model: PixelClassifier, data: TrainingData, seed: int) -> None:
    """Fit the gate of `model`, whose network is `Gated`, in place; its networks stay as they are.

    The gate learns to tell images from photos or, where these are few, from images as if
    photographed, too. The loss of the mixture would be no teacher: both networks know the labels
    of what they were trained on.
    """
    gated = model.network
    assert isinstance(gated, Gated)  # noqa: S101
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    images, other = _examples(data, generator)
    gate = gated.gate.train()
    optimizer = torch.optim.AdamW(gate.parameters(), lr=_RATE, weight_decay=0.01)
    steps = -(-len(images) // _BATCH)
    for epoch in range(_EPOCHS):
        order = torch.randperm(len(images), generator=generator)
        for step in range(steps):
            chosen = order[step * _BATCH : (step + 1) * _BATCH]
            rate = _RATE * one_cycle((epoch + step / steps) / _EPOCHS)
            optimizer.param_groups[0]["lr"] = rate
            said = gate(model.normalize(images[chosen]))[:, 0]
            total = functional.binary_cross_entropy_with_logits(said, other[chosen])
            optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    model.eval()


def _examples(data: TrainingData, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 28, 28], and float32 [N]: 1 where they are no plain images."""
    few = torch.randperm(len(data.train), generator=generator)[:_IMAGES]
    pixels = torch.tensor(data.train.pixels)[few]
    views = [_shifted(pixels, generator)]
    if data.photos is not None and len(data.photos.fitted):
        chosen = torch.arange(len(data.photos.fitted))
        if len(chosen) > _IMAGES:  # more would only make the gate expect photos
            chosen = torch.randperm(len(chosen), generator=generator)[:_IMAGES]
        photos = torch.tensor(data.photos.fitted.views[chosen.numpy()])
        for _ in range(min(_PHOTO_VIEWS, _IMAGES // len(photos))):
            view = torch.randint(0, photos.shape[1], (len(photos),), generator=generator)
            views += [_shifted(photos[torch.arange(len(photos)), view], generator)]
    others = sum(map(len, views[1:]))
    if others < _ENOUGH:
        rest = pixels[: _IMAGES - others]
        views += [_as_photographed(_shifted(rest, generator), generator)]
    images = torch.cat(views)
    other = torch.ones(len(images))
    other[: len(pixels)] = 0
    return images, other


def _shifted(pixels: Tensor, generator: torch.Generator) -> Tensor:
    return see(pixels, draw_view(len(pixels), 2, True, generator), 2)


def _as_photographed(pixels: Tensor, generator: torch.Generator) -> Tensor:
    nothing_loose = torch.zeros(1000, dtype=torch.bool)
    return torch.cat(
        [
            photographed(some, nothing_loose[: len(some)], generator)
            for some in torch.split(pixels, 1000)
        ]
    )
