"""Fitting a network on labelled pictures in colour: a pretrained backbone, trained on.

The first layers stay as they are, and so do the statistics of all normalisations: pictures are few.
What the network knew is kept by distillation (learning without forgetting, Li & Hoiem 2016): the
untouched network beside it says of every view what it would have said.

Cross-validation comes first. What the networks of the folds say of the pictures they have not seen
calibrates confidence and novelty, and says how good the last network is, which has seen all.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli.contract import InputSpec, Pixels
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.models.network import PictureClassifier, PictureNetwork
from fmnist_cli.models.registry import PictureRecipe
from fmnist_cli.training.checkpoint import load_state, save_tensors
from fmnist_cli.training.job import check_same_run
from fmnist_cli.training.optimizer import moving_average
from fmnist_cli.training.picture_views import Lesson, draw
from fmnist_cli.training.pictures import LabelledPictures, Truth
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch
from fmnist_cli.training.torch_fit import one_cycle
from fmnist_cli.training.torch_state import gathered, part, restore_optimizers
from fmnist_cli.training.truth import hits, loss

_ROUNDS = 200  # far beyond convergence
# Share of the peak learning rate at a progress of 0 to 1.
_share = partial(one_cycle, warm_up=0.1, least=0.02)


class Teacher(NamedTuple):
    """The network as it was before.

    Attributes:
        layers: what `PictureNetwork.backbone` has behind its frozen parts.
        head: features → logits of its own classes.
        like: column of ours → columns of its own that mean the same.
    """

    layers: nn.Module
    head: nn.Module
    like: Mapping[int, tuple[int, ...]]


class PicturesFit(NamedTuple):
    """A fitted network and how it got there.

    Attributes:
        model: the network that has seen all pictures.
        history: its learning curves.
        held: intp [M], the pictures that were left out once.
        logits: float32 [M, classes + 1], of each of these by a network that has not seen it.
    """

    model: PictureClassifier
    history: tuple[Epoch, ...]
    held: npt.NDArray[np.intp]
    logits: Tensor


def kept(
    logits: Tensor,
    features: Tensor,
    truth: Tensor,
    before: Tensor,
    teacher: Teacher,
    recipe: PictureRecipe,
) -> Tensor:
    """What is added to the loss of a batch for what the network knew before.

    Args:
        logits: float32 [N, classes + 1].
        features: float32 [N, D].
        truth: bool [N, classes + 1].
        before: float32 [N, old classes], logits of the untouched network.
        teacher: whose they are.
        recipe: how much each part weighs.
    """
    soft = (before / 2).softmax(dim=1)
    now = (teacher.head(features) / 2).log_softmax(dim=1)
    total = recipe.keep * 4 * functional.kl_div(now, soft, reduction="batchmean")
    # Which of several right classes it is, nobody said; the untouched network has an opinion.
    several = list(teacher.like)
    vague = truth[:, several].sum(dim=1) > 1
    if vague.any():
        old = before[vague].log_softmax(dim=1)
        groups = torch.stack(
            [torch.logsumexp(old[:, list(teacher.like[c])], dim=1) for c in several], dim=1
        )
        right = truth[vague][:, several]
        says = groups.masked_fill(~right, -torch.inf).softmax(dim=1)
        ours = logits[vague][:, several].masked_fill(~right, -1e9).log_softmax(dim=1)
        each = -(says * ours.masked_fill(~right, 0)).sum(dim=1)
        total = total + recipe.keep_types * each.sum() / len(truth)
    return total


class _State:
    """The moving parts of one fit: everything a checkpoint must hold."""

    def __init__(self, network: PictureNetwork, recipe: PictureRecipe) -> None:
        self.network = network
        self.network.eval()  # normalisations keep their statistics
        self.averaged = copy.deepcopy(network)
        layers = [*network.backbone[recipe.frozen :].parameters()]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in layers if p.ndim > 1], "share": 1.0},
                {"params": [p for p in layers if p.ndim == 1], "weight_decay": 0.0, "share": 1.0},
                {
                    "params": [*network.head.parameters()],
                    "weight_decay": 0.0,
                    "share": recipe.head,
                },
            ],
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        self._average = moving_average(recipe.ema_decay)
        self.history: list[Epoch] = []

    def step(self, total: Tensor, rate: float, updates: int) -> None:
        """One update, at this learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        with torch.no_grad():
            pairs = zip(self.averaged.parameters(), self.network.parameters(), strict=True)
            trained = [(kept, own.detach()) for kept, own in pairs if own.grad is not None]
            self._average([k for k, _ in trained], [o for _, o in trained], updates)

    def save(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Write everything needed to go on after this epoch."""
        weights = {"network": self.network.state_dict(), "averaged": self.averaged.state_dict()}
        history = [asdict(epoch) for epoch in self.history]
        tensors = gathered(weights, [self.optimizer])
        save_tensors(path, tensors, {"identity": identity, "history": history})

    def restore(self, path: Path, identity: Mapping[str, Any], run_dir: Path) -> None:
        """Take up what `save` wrote."""
        tensors, state = load_state(path)
        check_same_run(state["identity"], identity, run_dir)
        self.network.load_state_dict(part(tensors, "network"))
        self.averaged.load_state_dict(part(tensors, "averaged"))
        restore_optimizers([self.optimizer], tensors)
        self.history = [Epoch(**epoch) for epoch in state["history"]]


def _lesson(
    pictures: LabelledPictures,
    images: LabelledImages,
    chosen: npt.NDArray[np.intp],
    power: float,
) -> Lesson:
    """Some of the pictures, none of which is copied, and all images of the data set."""
    members = pictures.members[chosen]
    sizes = np.bincount(members, minlength=len(pictures.folders))[members]
    return Lesson(
        torch.from_numpy(pictures.pixels),
        torch.from_numpy(pictures.truth),
        torch.from_numpy(chosen),
        torch.from_numpy(sizes ** (power - 1.0)),
        torch.tensor(images.pixels),
        torch.tensor(images.labels),
    )


def _fit(
    state: _State,
    teacher: Teacher | None,
    lesson: Lesson,
    side: tuple[int, int],
    recipe: PictureRecipe,
    checkpoint: Path,
    identity: Mapping[str, Any],
    seed: int,
    reporter: Reporter,
) -> None:
    """Train on, from the epoch that `state` is at; written to `checkpoint` after each."""
    network, cut = state.network, recipe.frozen
    device = network.head.weight.device
    frozen, trained = network.backbone[:cut], network.backbone[cut:]
    steps = max(1, len(lesson.chosen) // recipe.batch_size)
    for epoch in range(len(state.history), recipe.epochs):
        started = time.monotonic()
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.multinomial(
            lesson.weight, steps * recipe.batch_size, replacement=True, generator=generator
        )
        losses = right = 0.0
        seen = 0
        for step, chosen in enumerate(lesson.chosen[order].reshape(steps, -1)):
            rate = recipe.learning_rate * _share((epoch + step / steps) / recipe.epochs)
            images, truth = draw(lesson, chosen, side, recipe, generator)
            images = images.to(device, memory_format=torch.channels_last)
            truth = truth.to(device)
            with torch.no_grad():
                images = frozen(images)
            features = trained(images)
            logits = network.head(features)
            total = loss(logits, truth, recipe.label_smoothing)
            losses += total.item() * len(truth)
            right += hits(logits, truth).item()
            seen += len(truth)
            if teacher is not None:
                with torch.no_grad():
                    before = teacher.head(teacher.layers(images))
                total = total + kept(logits, features, truth, before, teacher, recipe)
            state.step(total, rate, epoch * steps + step)
            reporter.step(f"lr {rate:.1e}")
        seconds = time.monotonic() - started
        state.history.append(Epoch(epoch + 1, losses / seen, right / seen, None, None, seconds))
        state.save(checkpoint, identity)
        reporter.epoch(state.history[-1], recipe.epochs)


@torch.inference_mode()
def predict_logits(model: PictureClassifier, pixels: Pixels, batch_size: int = 32) -> Tensor:
    """What a network says of pictures: uint8 [N, H, W, 3] → float32 [N, classes + 1]."""
    starts = range(0, len(pixels), batch_size)
    batches = (torch.tensor(pixels[start : start + batch_size]) for start in starts)
    return torch.cat([model.network(model.normalize(batch))[0] for batch in batches])


@torch.no_grad()
def make_even(model: PictureClassifier, pixels: Pixels, truth: Truth) -> None:
    """Make classes that nobody told apart equally frequent, by the offsets of the head, in place.

    ImageNet's network takes every third sneaker for a sandal. Where a folder means several classes
    and nothing says how many there are of each, as many are the least of assumptions.

    Args:
        model: trained.
        pixels: uint8 [N, H, W, 3], pictures.
        truth: bool [N, classes + 1], what is right of each.
    """
    known = truth[:, :-1]
    for right in np.unique(known[known.sum(axis=1) > 1], axis=0):
        chosen = torch.from_numpy(np.flatnonzero(right))
        logits = predict_logits(model, pixels[(known == right).all(axis=1)])[:, chosen]
        offset = torch.zeros(len(chosen))
        for _ in range(_ROUNDS):
            share = (logits + offset).softmax(dim=1).mean(dim=0)
            offset -= 0.5 * share.log()
            offset -= offset.mean()  # as likely as before that it is any of them
        model.network.head.bias[chosen] += offset


def fit_pictures(
    module: Any,
    recipe: PictureRecipe,
    spec: InputSpec,
    pictures: LabelledPictures,
    images: LabelledImages,
    run_dir: Path,
    *,
    identity: dict[str, Any],
    device: torch.device,
    resume: bool,
    reporter: Reporter,
) -> PicturesFit:
    """Fit the network of `module` on pictures, checkpointing every epoch in `run_dir`.

    Args:
        module: of the model: ``build(classes)`` gives a `PictureNetwork`; ``start(network,
            class_names)`` gives it the weights to start from and returns the head and the columns
            of what it was trained for before, or None.
        recipe: how hard.
        spec: what the network wants.
        pictures: `fmnist_cli.training.pictures.MARGIN` larger than that.
        images: of Fashion-MNIST, to make product pictures of.
        run_dir: folder of the run.
        identity: of the run, kept in its checkpoints.
        device: of PyTorch; views are made on the CPU.
        resume: go on from the last checkpoints if there are any.
        reporter: told of progress.

    Raises:
        TrainingError: a checkpoint is damaged or of another run; pretrained weights are missing.
    """
    seed = identity["seed"]
    classes = pictures.class_names
    folds = pictures.folds(recipe.folds, seed)
    left_out = [np.flatnonzero(folds == fold) for fold in range(recipe.judged)]
    logits: list[Tensor] = []
    model: PictureClassifier | None = None
    history: tuple[Epoch, ...] = ()
    reporter.start(identity["model"], None)
    for fold in (*range(recipe.judged), recipe.folds):  # the last one leaves nothing out
        torch.manual_seed(seed)
        network = module.build(len(classes))
        before = module.start(network, classes)
        network.to(device, memory_format=torch.channels_last)
        teacher = None
        if before is not None:
            head, like = before
            layers = copy.deepcopy(network.backbone[recipe.frozen :]).eval()
            teacher = Teacher(layers, head.requires_grad_(False).to(device), like)
        state = _State(network, recipe)
        checkpoint = run_dir / f"fold-{fold + 1}.safetensors"
        own = identity | {"fold": fold}
        if resume and checkpoint.exists():
            state.restore(checkpoint, own, run_dir)
        lesson = _lesson(pictures, images, np.flatnonzero(folds != fold), recipe.balance)
        if fold < recipe.folds:
            reporter.stage(f"without fold {fold + 1} of {recipe.folds}")
        side = (spec.height, spec.width)
        _fit(state, teacher, lesson, side, recipe, checkpoint, own, seed, reporter)
        model = PictureClassifier(state.averaged.cpu(), spec.shape).eval()
        history = tuple(state.history)
        vague = (folds != fold) & (pictures.truth[:, :-1].sum(axis=1) > 1)
        if vague.any():
            make_even(model, pictures.seen(spec, vague), pictures.truth[vague])
        if fold < recipe.folds:
            logits.append(predict_logits(model, pictures.seen(spec, left_out[fold])))
    assert model is not None  # noqa: S101
    return PicturesFit(model, history, np.concatenate(left_out), torch.cat(logits))
