"""Fitting a PyTorch network: one loop for all of them, resumable at every epoch.

What differs from fit to fit is an `Objective`: the batches of an epoch and what is to be minimised,
and how good the network is afterwards.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import TorchRecipe
from fmnist_cli.training.job import check_same_run
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch, load_state, save_tensors

_MOMENTUM = 0.95
_ROUNDS = 5
# Quintic iteration that moves singular values quickly near 1 (Jordan et al. 2024).
_QUINTIC = (3.4445, -4.7750, 2.0315)

Tensors = tuple[Tensor, ...] | list[Tensor]


class BatchResult(NamedTuple):
    """What came of one batch.

    Attributes:
        total: what is to be minimised, a number.
        logits: float32 [N, classes].
        truth: what is right, int64 [N], a label each, or bool [N, classes], the set of classes.
    """

    total: Tensor
    logits: Tensor
    truth: Tensor


class Objective(Protocol):
    """What differs from fit to fit."""

    @property
    def steps(self) -> int:
        """Batches of an epoch."""

    def batches(self, generator: torch.Generator) -> Iterator[BatchResult]:
        """An epoch: the network is asked about each batch when that batch is wanted."""

    def validate(self, network: nn.Module) -> tuple[float | None, float | None]:
        """Loss and accuracy of averaged weights; None where nothing is held out."""


class Trainer:
    """A fit: a network, what moves it, and all that a checkpoint must hold.

    On one kind of machine, with one seed and thread count, the result is the same every time,
    resumed or not: each epoch draws from generators seeded by (seed, epoch).

    Args:
        network: in the mode it is to be fitted in, on its device.
        optimizers: groups may have a ``share``, which multiplies their learning rate.
        decay: per step, of the averaged weights, which are the ones kept.
        checkpoint: written after every epoch.
        identity: of the run (`Job.identity`), kept in the checkpoint.
        resume: go on from the checkpoint if it is there.

    Attributes:
        best: averaged weights of the epoch with the highest validation accuracy; of the last one
            where nothing is held out.
        best_epoch: that epoch, 1-based.
        history: the epochs so far.

    Raises:
        TrainingError: the checkpoint to resume from is damaged or of another run.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizers: Sequence[torch.optim.Optimizer],
        decay: float,
        checkpoint: Path,
        identity: Mapping[str, Any],
        *,
        resume: bool,
    ) -> None:
        self.network = network
        self._optimizers = optimizers
        # Statistics of normalisations move in training mode only.
        self._averaged = AveragedModel(
            network, multi_avg_fn=moving_average(decay), use_buffers=network.training
        )
        self._checkpoint = checkpoint
        self._device = next(network.parameters()).device
        # Where it is computed is part of the result, so a run goes on where it began.
        self._identity = {**identity, "device": self._device.type}
        self.best = self._weights()
        self.best_epoch = 0
        self.history: list[Epoch] = []
        if resume and checkpoint.exists():
            self._restore()

    def run(
        self, objective: Objective, epochs: int, rate: Callable[[float], float], reporter: Reporter
    ) -> None:
        """Go on to the end.

        Args:
            epochs: how many in all.
            rate: progress through all epochs, 0 to 1 → learning rate.
        """
        torch.backends.cudnn.deterministic = True
        for epoch in range(len(self.history), epochs):
            started = time.monotonic()
            seed = self._identity["seed"] * 100_003 + epoch
            # Dropout draws from the global generator, order and augmentation from their own.
            torch.manual_seed(seed)
            seen = 0
            losses, right = torch.zeros(2, device=self._device)
            for step, result in enumerate(objective.batches(torch.Generator().manual_seed(seed))):
                now = rate((epoch + step / objective.steps) / epochs)
                self._step(result.total, now)
                with torch.no_grad():
                    losses += loss(result.logits, result.truth, reduction="sum")
                    right += hits(result.logits, result.truth)
                seen += len(result.truth)
                done = f"step {step + 1:,} of {objective.steps:,}"
                reporter.step(f"epoch {epoch + 1}/{epochs}, {done}")
            validation = objective.validate(self._averaged.module)
            seconds = time.monotonic() - started
            trained = losses.item() / seen, right.item() / seen
            self._close(Epoch(epoch + 1, *trained, *validation, seconds))
            reporter.epoch(self.history[-1], epochs)

    def _step(self, total: Tensor, rate: float) -> None:
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("share", 1.0)
            optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        for optimizer in self._optimizers:
            optimizer.step()
        self._averaged.update_parameters(self.network)

    def _weights(self) -> dict[str, Tensor]:
        state = self._averaged.module.state_dict()
        return {name: tensor.detach().clone() for name, tensor in state.items()}

    def _close(self, epoch: Epoch) -> None:
        """Keep the averaged weights if they are the best so far, and write the checkpoint."""
        best = max((e.validation_accuracy or 0.0 for e in self.history), default=0.0)
        self.history.append(epoch)
        if (epoch.validation_accuracy or 0.0) >= best:
            self.best, self.best_epoch = self._weights(), epoch.epoch
        parts = {
            "model": self.network.state_dict(),
            "averaged": self._averaged.state_dict(),
            "best": self.best,
        }
        for number, optimizer in enumerate(self._optimizers):
            slots = optimizer.state_dict()["state"].items()
            parts[f"optimizer{number}"] = {f"{i}.{k}": v for i, of in slots for k, v in of.items()}
        state = {
            "identity": self._identity,
            "history": [asdict(one) for one in self.history],
            "best_epoch": self.best_epoch,
        }
        # Clones, since safetensors refuses tensors that share memory.
        tensors = {f"{name}.{k}": v.clone() for name, of in parts.items() for k, v in of.items()}
        save_tensors(self._checkpoint, tensors, state)

    def _restore(self) -> None:
        """Take up what `_close` wrote."""
        tensors, state = load_state(self._checkpoint)
        check_same_run(state["identity"], self._identity, self._checkpoint.parent)

        def part(name: str) -> dict[str, Tensor]:
            start = f"{name}."
            return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

        self.network.load_state_dict(part("model"))
        self._averaged.load_state_dict(part("averaged"))
        self.best, self.best_epoch = part("best"), state["best_epoch"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        for number, optimizer in enumerate(self._optimizers):
            values = optimizer.state_dict()
            for key, value in part(f"optimizer{number}").items():
                index, _, name = key.partition(".")
                values["state"].setdefault(int(index), {})[name] = value
            optimizer.load_state_dict(values)


def one_cycle(progress: float, warm_up: float = 0.2, least: float = 0.04) -> float:
    """Share of the peak learning rate at `progress` (0 to 1) through training.

    Linear warm-up from `least`, then cosine to zero (Smith & Topin 2018). A function of progress
    alone, so that a resumed run needs no scheduler state.
    """
    if progress < warm_up:
        return least + (1 - least) * progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def loss(logits: Tensor, truth: Tensor, smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
    """Cross-entropy; against sets, of the summed probability of the classes that are right.

    With one right class each, both forms are the same function. Sets are partial labels
    (Jin & Ghahramani 2002): nothing is said about which of the classes it is.

    Args:
        logits: float32 [N, classes].
        truth: see `BatchResult`.
        smoothing: probability mass moved from what is right to all classes, 0 to 1.
        reduction: ``"mean"`` or ``"sum"``.
    """
    if truth.dim() == 1:
        return functional.cross_entropy(
            logits, truth, label_smoothing=smoothing, reduction=reduction
        )
    logs = functional.log_softmax(logits, dim=1)
    right = torch.logsumexp(logs.masked_fill(~truth, -torch.inf), dim=1)
    each = -(1 - smoothing) * right - smoothing * logs.mean(dim=1)
    return each.mean() if reduction == "mean" else each.sum()


def hits(logits: Tensor, truth: Tensor) -> Tensor:
    """How many most probable classes are right; a number in a tensor."""
    best = logits.argmax(1)
    if truth.dim() == 1:
        return (best == truth).sum()
    return truth.gather(1, best[:, None]).sum()


def moving_average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Exponential moving average that forgets its start, as TensorFlow's does by `num_updates`.

    Variances of normalisations start at one. Where the true ones are small, as behind depthwise
    convolutions, a constant decay would need tens of thousands of steps to leave that behind.
    """

    def average(averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
        count = float(updates)
        now = min(decay, (1 + count) / (10 + count))
        get_ema_multi_avg_fn(now)(averaged, current, updates)  # type: ignore[no-untyped-call]

    return average


def orthogonalized(matrix: Tensor) -> Tensor:
    """About U·Vᵀ of float32 [M, N] = U·S·Vᵀ, by Newton–Schulz iteration."""
    wide: Tensor = matrix / (matrix.norm() + 1e-7)
    tall = len(matrix) > matrix.shape[1]
    if tall:
        wide = wide.T
    first, third, fifth = _QUINTIC
    for _ in range(_ROUNDS):
        gram = wide @ wide.T
        wide = first * wide + (third * gram + fifth * gram @ gram) @ wide
    return wide.T if tall else wide


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised per filter bank (Jordan et al. 2024), for weights of any rank.

    `torch.optim.Muon` takes matrices only; a convolution's weight [out, in, k, k] counts as a
    matrix [out, in·k·k] here. Steps are as long as AdamW's usual ones (Liu et al. 2025), so
    that both share a learning rate.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every weight that has a gradient."""
        assert closure is None  # noqa: S101  (part of the interface, without use here)
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - _MOMENTUM)
                ahead = weight.grad.lerp(state["momentum"], _MOMENTUM)  # Nesterov
                update = orthogonalized(ahead.reshape(len(weight), -1))
                length = group["lr"] * 0.2 * max(update.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(update.reshape(weight.shape), alpha=length)


def optimizers(model: nn.Module, recipe: TorchRecipe) -> list[torch.optim.Optimizer]:
    """What moves the model's weights; biases and norms are spared weight decay."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    spared = [p for p in model.parameters() if p.ndim <= 1]
    filters = [p for p in weights if p.ndim == 4 and p.shape[1] > 1] if recipe.muon else []
    chosen = {id(p) for p in filters}
    groups: list[dict[str, Any]] = [
        {
            "params": [p for p in weights if id(p) not in chosen],
            "weight_decay": recipe.weight_decay,
        },
        {"params": spared, "weight_decay": 0.0},
    ]
    result: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=recipe.learning_rate)]
    if filters:
        result.append(Muon(filters, recipe.learning_rate, recipe.weight_decay))
    return result


class TorchModel:
    """`NativeModel` of a PyTorch network, in evaluation mode."""

    def __init__(self, network: PixelClassifier, batch_size: int = 1000) -> None:
        self.network = network.eval()
        self._batch_size = batch_size

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """uint8 [N, H, W] or [N, H, W, 3] → float32 [N, classes]."""
        return predict_probabilities(self.network, pixels, self._batch_size)


def predict_probabilities(
    model: nn.Module, pixels: Pixels, batch_size: int = 1000
) -> Probabilities:
    """Probabilities float32 [N, classes] of a `PixelClassifier`, in evaluation mode."""
    model.eval()
    device = next(model.buffers()).device
    with torch.inference_mode():
        # A copy per batch: arrays of the data set are read-only, which torch does not accept.
        batches = [
            model(torch.tensor(pixels[start : start + batch_size], device=device)).cpu()
            for start in range(0, len(pixels), batch_size)
        ]
    return torch.cat(batches).float().numpy()
