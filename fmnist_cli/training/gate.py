"""Fitting the gate of a mixture whose networks are finished."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.wild import Gated, mixed
from fmnist_cli.training.augment import draw_view, see
from fmnist_cli.training.job import TrainingData
from fmnist_cli.training.photographed import photographed
from fmnist_cli.training.torch_fit import TorchFit, fit_temperature, one_cycle
from fmnist_cli.training.truth import loss, truth_of

_IMAGES = 20_000  # of Fashion-MNIST, each as it is and as if photographed
_PHOTO_VIEWS = 4  # of each photo
_EPOCHS, _BATCH, _RATE = 8, 256, 3e-3


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


@dataclass(frozen=True, slots=True)
class _Seen:
    """Images, and what both networks say of them: all that fitting the gate needs."""

    images: Tensor
    known: Tensor
    trained: Tensor
    truth: Tensor


def fit_gate(model: PixelClassifier, data: TrainingData, seed: int) -> None:
    """Fit the gate of `model`, whose network is `Gated`, in place; its networks stay as they are.

    The mixture's own loss decides: on plain images, on images as if photographed, and on photos.
    Nobody tells the gate which is which.
    """
    gated = model.network
    assert isinstance(gated, Gated)  # noqa: S101
    torch.manual_seed(seed)
    seen = _ask(model, gated, data, seed)
    gate = gated.gate.train()
    optimizer = torch.optim.AdamW(gate.parameters(), lr=_RATE, weight_decay=0.01)
    count = len(seen.images)
    steps = -(-count // _BATCH)
    generator = torch.Generator().manual_seed(seed)
    for epoch in range(_EPOCHS):
        order = torch.randperm(count, generator=generator)
        for step in range(steps):
            chosen = order[step * _BATCH : (step + 1) * _BATCH]
            rate = _RATE * one_cycle((epoch + step / steps) / _EPOCHS)
            optimizer.param_groups[0]["lr"] = rate
            logits = mixed(
                seen.known[chosen], seen.trained[chosen], gate(model.normalize(seen.images[chosen]))
            )
            total = loss(logits, seen.truth[chosen])
            optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    model.eval()


def _ask(model: PixelClassifier, gated: Gated, data: TrainingData, seed: int) -> _Seen:
    """Views of images and photos, and the logits of both networks."""
    generator = torch.Generator().manual_seed(seed)
    few = torch.randperm(len(data.train), generator=generator)[:_IMAGES]
    pixels = torch.tensor(data.train.pixels)[few]
    labels = torch.tensor(data.train.labels)[few]
    classes = len(data.class_names)
    plain = functional.one_hot(labels, classes).bool()
    views, truths = [_shifted(pixels, generator)], [plain]
    loose = torch.zeros(len(pixels), dtype=torch.bool)
    views.append(_as_photographed(_shifted(pixels, generator), loose, generator))
    truths.append(plain)
    if data.photos is not None and len(data.photos.fitted):
        photos = torch.tensor(data.photos.fitted.pixels)
        allowed = torch.tensor(data.photos.fitted.allowed)
        for _ in range(_PHOTO_VIEWS):
            views.append(_shifted(photos, generator))
            truths.append(truth_of(labels[:0], allowed))
    images = torch.cat(views)
    return _Seen(
        images,
        _logits(model, gated.known, images),
        _logits(model, gated.trained, images),
        torch.cat(truths),
    )


def _shifted(pixels: Tensor, generator: torch.Generator) -> Tensor:
    return see(pixels, draw_view(len(pixels), 2, True, generator), 2)


def _as_photographed(pixels: Tensor, loose: Tensor, generator: torch.Generator) -> Tensor:
    parts = zip(torch.split(pixels, 1000), torch.split(loose, 1000), strict=True)
    return torch.cat([photographed(some, turned, generator) for some, turned in parts])


def _logits(model: PixelClassifier, network: nn.Module, images: Tensor) -> Tensor:
    network.eval()
    with torch.inference_mode():
        parts = [network(model.normalize(some)) for some in torch.split(images, 500)]
    return torch.cat(parts).clone()
