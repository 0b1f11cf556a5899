"""Training the network behind the features, too: PyTorch, and minutes to hours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from fmnist_cli.contract import Embeddings
from fmnist_cli.export.convert import convert_pictures
from fmnist_cli.export.graph import halved, serialize
from fmnist_cli.inference.models import ModelFile
from fmnist_cli.inference.session import Session
from fmnist_cli.labelled.pictures import LabelledPictures, folds_of
from fmnist_cli.labelled.source import Labelled
from fmnist_cli.learn.head import Head, Held, fit
from fmnist_cli.models.network import PictureClassifier
from fmnist_cli.models.registry import PictureRecipe
from fmnist_cli.training.picture_views import Views, draw, enlarged
from fmnist_cli.training.restore import restore
from fmnist_cli.training.torch_fit import loss

RECIPE = PictureRecipe(epochs=8, batch_size=16, learning_rate=2e-4, made_up=0, nothing=0)


def tune(
    labelled: Labelled,
    embeddings: Embeddings,
    strength: float,
    base: ModelFile,
    tell: Callable[[str], object],
    advance: Callable[[int], object],
) -> tuple[ModelFile, Head, Held]:
    """Train the network of `base` on, once for each fold and once on all pictures.

    Args:
        embeddings: float32 [N, 2, D], of these by `base`; heads start from what they say.
        strength: of these heads.
        base: the model to start from.
        advance: told how many more pictures were learned from.

    Returns:
        A model whose features are those of the tuned network, a head on these, and what tuned
        networks say of pictures that they have not learned from.
    """
    card = Session(base).card
    assert card.input is not None  # noqa: S101  (as a session fills it in)
    # Larger than the network's input, to be turned and cut.
    pictures = LabelledPictures.read(labelled, enlarged(card.input))
    members = pictures.members
    folds = folds_of(members, RECIPE.folds)
    count = int(folds.max()) + 1
    held = Held(np.empty((len(members), int(members.max()) + 1)), np.empty(len(members)), count)
    for fold in range(count):
        tell(f"training, without part {fold + 1} of {count}")
        out = folds == fold
        start = fit(embeddings[~out], members[~out], strength)
        network = _train(pictures, ~out, base, start, advance)
        head, seen = _judge(network, pictures, ~out)
        held.logits[out], held.novelty[out] = head.logits(seen[out]), head.novelty(seen[out])
    tell("training, with all pictures")
    everything = np.ones(len(members), np.bool_)
    start = fit(embeddings, members, strength)
    network = _train(pictures, everything, base, start, advance)
    head, _ = _judge(network, pictures, everything)
    # A head as the card says, which nobody asks: only features are used of this model.
    network.network.head = torch.nn.Linear(head.weight.shape[1], len(card.class_names) + 1)
    content = serialize(halved(convert_pictures(network)), card)
    return ModelFile.of(base.name, base.path, content), head, held


def _train(
    pictures: LabelledPictures,
    chosen: npt.NDArray[np.bool_],
    base: ModelFile,
    start: Head,
    advance: Callable[[int], object],
) -> PictureClassifier:
    """The network, trained on some pictures; its head, a row per class, begins at `start`."""
    classifier = restore(base)
    assert isinstance(classifier, PictureClassifier)  # noqa: S101  (as it has features)
    network, members = classifier.network, pictures.members
    network.head = torch.nn.Linear(start.weight.shape[1], len(start.bias))
    for ours, theirs in zip(network.head.parameters(), start[:2], strict=True):
        ours.data = torch.from_numpy(theirs).float()
    classifier.eval()  # normalisations keep their statistics
    frozen, trained = network.backbone[: RECIPE.frozen], network.backbone[RECIPE.frozen :]
    peak = RECIPE.learning_rate
    groups = [{"params": list(part.parameters())} for part in (trained, network.head)]
    optimizer = torch.optim.AdamW(groups, peak, weight_decay=RECIPE.weight_decay)
    sizes = np.bincount(members[chosen])[members[chosen]]
    views = Views(
        torch.from_numpy(pictures.pixels),
        torch.eye(len(start.bias), dtype=torch.bool)[torch.from_numpy(members)],
        torch.from_numpy(np.flatnonzero(chosen)),
        torch.from_numpy(sizes ** (RECIPE.balance - 1.0)),
        *torch.empty(2, 0),
    )
    generator = torch.Generator().manual_seed(0)
    side = classifier.shape[0], classifier.shape[1]
    steps = RECIPE.epochs * -(-len(views.chosen) // RECIPE.batch_size)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, [peak, RECIPE.head * peak], steps)
    for _ in range(steps):
        drawn = torch.multinomial(views.weight, RECIPE.batch_size, True, generator=generator)
        images, truth = draw(views, views.chosen[drawn], side, RECIPE, generator)
        with torch.no_grad():
            images = frozen(images)
        value = loss(network.head(trained(images)), truth, RECIPE.label_smoothing)
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        cycle.step()
        advance(RECIPE.batch_size)
    return classifier


@torch.inference_mode()
def _judge(
    classifier: PictureClassifier, pictures: LabelledPictures, learned: npt.NDArray[np.bool_]
) -> tuple[Head, Embeddings]:
    """Its head, with centers of the pictures that it learned from, and features of all."""
    spec, members = pictures.spec, pictures.members
    spec = spec._replace(height=classifier.shape[0], width=classifier.shape[1])
    seen = []
    for part in np.array_split(np.arange(len(members)), -(-len(members) // 32)):
        pixels = torch.from_numpy(pictures.seen(spec, part))
        seen.append(classifier.network.backbone(classifier.normalize(pixels)).numpy())
    features: Embeddings = np.concatenate(seen)
    weight, bias = (one.double().numpy() for one in classifier.network.head.parameters())
    own = [learned & (members == one) for one in range(len(bias))]
    centers = np.array([features[one].mean(axis=0) for one in own], np.float64)
    return Head(weight, bias, centers), features
