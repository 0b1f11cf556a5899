"""What a fit of a network learns from, as tensors: images, views of photos, what is right."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fmnist_cli.models.recipes import TorchRecipe
from fmnist_cli.training.augment import View, draw_view, erase, relight, see
from fmnist_cli.training.batches import Batches
from fmnist_cli.training.job import TrainingData
from fmnist_cli.training.photographed import photographed
from fmnist_cli.training.truth import truth_of

_SHOES = ("Sandal", "Sneaker", "Ankle boot")


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Images, and photos after them.

    Attributes:
        pixels: uint8 [images + photos · views, 28, 28].
        truth: what is right of each image and photo, as in `fmnist_cli.training.truth`.
        loose: bool [images + photos], what lies any way round.
        views: frames of each photo.
        batches: what each step sees.
    """

    pixels: Tensor
    truth: Tensor
    loose: Tensor
    views: int
    batches: Batches

    @classmethod
    def of(cls, data: TrainingData, recipe: TorchRecipe, device: torch.device) -> Material:
        """The training part of the data, on the device."""
        pixels = torch.tensor(data.train.pixels, device=device)
        truth = torch.tensor(data.train.labels, device=device)
        views, folders = 1, torch.zeros(0, dtype=torch.int64)
        if data.photos is not None and len(data.photos.fitted):
            photos = data.photos.fitted
            views, folders = photos.views.shape[1], torch.tensor(photos.members)
            frames = torch.tensor(photos.views, device=device).flatten(0, 1)
            pixels = torch.cat([pixels, frames])
            truth = truth_of(truth, torch.tensor(photos.allowed, device=device))
        batches = Batches(
            images=len(data.train),
            folders=folders,
            size=recipe.batch_size,
            share=recipe.photo_share,
            rounds=data.rounds,
        )
        return cls(pixels, truth, _shoes(truth, data.class_names), views, batches)

    def seen(
        self, chosen: Tensor, images: int, recipe: TorchRecipe, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, View]:
        """A batch, augmented: uint8 [N, 28, 28], what is right of it, and how it was shifted.

        Args:
            chosen: int64 [N], images first, from `Batches.draw`.
            images: how many are images; these are seen as if photographed at times, which
                photos are anyway.
            recipe: says how they are augmented.
            generator: source of all randomness, on the CPU.
        """
        view = draw_view(len(chosen), recipe.translate, recipe.flip, generator)
        here = chosen.to(self.pixels.device)
        frames = self._frames_of(chosen, images, generator).to(self.pixels.device)
        batch = see(self.pixels[frames], view, recipe.translate)
        batch = relight(batch, recipe.relight, generator)
        batch = erase(batch, recipe.erase, generator)
        if recipe.photographed:
            batch[:images] = _photographed(
                batch[:images], self.loose[here[:images]], recipe.photographed, generator
            )
        return batch, self.truth[here], view

    def _frames_of(self, chosen: Tensor, images: int, generator: torch.Generator) -> Tensor:
        """Where the frames of a batch are: images as they come, a random view of each photo."""
        first = self.batches.images
        photos = chosen[images:] - first
        view = torch.randint(0, self.views, (len(photos),), generator=generator)
        return torch.cat([chosen[:images], first + photos * self.views + view])


def _shoes(truth: Tensor, class_names: tuple[str, ...]) -> Tensor:
    """Bool [N]: images all of whose right classes are shoes, which lie any way round."""
    shoes = torch.tensor([name in _SHOES for name in class_names], device=truth.device)
    return shoes[truth] if truth.dim() == 1 else ~(truth & ~shoes).any(dim=1)


def _photographed(batch: Tensor, loose: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A random `share` of a batch as if photographed."""
    chosen = torch.rand(len(batch), generator=generator) < share
    result = batch.clone()
    result[chosen.to(batch.device)] = photographed(
        batch[chosen.to(batch.device)], loose.cpu()[chosen], generator
    )
    return result
