"""Fitting a PyTorch model: one straight loop, resumable at every epoch."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import TorchRecipe
from fmnist_cli.training.augment import draw_view, erase, relight, see
from fmnist_cli.training.checkpoint import LAST_FILE, load_state
from fmnist_cli.training.job import TrainingData, check_same_run
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch
from fmnist_cli.training.torch_state import FitState
from fmnist_cli.training.truth import hits, loss


@dataclass(frozen=True, slots=True)
class TorchFit:
    """A fitted network and how it got there."""

    model: PixelClassifier
    history: tuple[Epoch, ...]
    best_epoch: int
    temperature: float
    precision: str


def one_cycle(progress: float, warm_up: float = 0.2, least: float = 0.04) -> float:
    """Share of the peak learning rate at `progress` (0 to 1) through training.

    Linear warm-up from `least`, then cosine to zero (Smith & Topin 2018). A function of progress
    alone, so that a resumed run needs no scheduler state.
    """
    if progress < warm_up:
        return least + (1 - least) * progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are done in hardware on this device."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def predict_probabilities(
    model: nn.Module, pixels: Pixels, batch_size: int = 1000, *, bfloat16: bool = False
) -> Probabilities:
    """Probabilities float32 [N, classes] of a `PixelClassifier`, in evaluation mode."""
    model.eval()
    device = next(model.buffers()).device
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        # A copy per batch: arrays of the data set are read-only, which torch does not accept.
        batches = [
            model(torch.tensor(pixels[start : start + batch_size], device=device)).cpu()
            for start in range(0, len(pixels), batch_size)
        ]
    return torch.cat(batches).float().numpy()


def fit_temperature(model: PixelClassifier, validation: LabelledImages) -> float:
    """Temperature with the least validation loss (Guo et al. 2017)."""
    probabilities = predict_probabilities(model, validation.pixels).astype(np.float64)
    logits = np.log(np.maximum(probabilities, 1e-30))  # temperature is still 1
    chosen = np.arange(len(logits))

    def loss(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scaled).sum(axis=1))
        return float((log_sum - scaled[chosen, validation.labels]).mean())

    return math.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x)


def fit_torch(
    network: nn.Module,
    recipe: TorchRecipe,
    data: TrainingData,
    run_dir: Path,
    *,
    identity: dict[str, Any],
    device: torch.device,
    resume: bool,
    reporter: Reporter,
    soft: Tensor | None = None,
) -> TorchFit:
    """Fit `network`, checkpointing every epoch in `run_dir`.

    The kept weights are the exponential moving average of the epoch with the highest
    validation accuracy. On one kind of machine, with one seed and thread count, the result
    is the same every time, resumed or not: each epoch draws from generators seeded by
    (seed, epoch).

    Args:
        network: float32 [N, 1, 28, 28] → logits; initialised by the caller.
        identity: of the run (`Job.identity`), kept in its checkpoints.
        resume: go on from the last checkpoint if there is one.
        soft: what teachers say of each view of each training image, as from
            `fmnist_cli.training.distill.soft_labels`; None to learn from labels alone.

    Raises:
        TrainingError: the checkpoint to resume from is damaged or of another run.
    """
    train, validation, seed = data.train, data.validation, identity["seed"]
    run = FitState(network, recipe, train, device)
    last = run_dir / LAST_FILE
    bfloat16 = recipe.bfloat16 and has_bfloat16(device)
    precision = "bfloat16" if bfloat16 else "float32"
    # The arithmetic is part of the result, so a run goes on where it began.
    identity = identity | {"device": device.type, "precision": precision}
    if resume and last.exists():
        tensors, state = load_state(last)
        check_same_run(state["identity"], identity, run_dir)
        run.restore(tensors, state)
    torch.backends.cudnn.deterministic = True
    pixels = torch.tensor(train.pixels, device=device)
    labels = torch.tensor(train.labels, device=device)
    steps = math.ceil(len(train) / recipe.batch_size)
    reporter.start(identity["model"], steps * recipe.epochs, steps * len(run.history))

    for epoch in range(len(run.history), recipe.epochs):
        started = time.monotonic()
        # Dropout draws from the global generator, order and augmentation from their own.
        torch.manual_seed(seed * 100_003 + epoch)
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        run.model.train()
        losses = torch.zeros((), device=device)
        right = torch.zeros((), device=device)
        order = torch.randperm(len(train), generator=generator)
        for step, chosen in enumerate(torch.split(order, recipe.batch_size)):
            rate = recipe.learning_rate * one_cycle((epoch + step / steps) / recipe.epochs)
            for optimizer in run.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            here = chosen.to(device)
            view = draw_view(len(chosen), recipe.translate, recipe.flip, generator)
            batch = see(pixels[here], view, recipe.translate)
            batch = relight(batch, recipe.relight, generator)
            batch = erase(batch, recipe.erase, generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                logits = run.model.logits(batch)
            logits, truth = logits.float(), labels[here]
            total = loss(logits, truth, recipe.label_smoothing)
            if soft is not None:
                judged = soft[chosen, view.top, view.left].to(device).float()
                judged **= 1 / recipe.teacher_temperature
                judged /= judged.sum(dim=1, keepdim=True)
                taught = functional.cross_entropy(logits, judged)
                total = (1 - recipe.teacher_share) * total + recipe.teacher_share * taught
            for optimizer in run.optimizers:
                optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            for optimizer in run.optimizers:
                optimizer.step()
            run.averaged.update_parameters(run.model)
            with torch.no_grad():
                losses += loss(logits, truth, reduction="sum")
                right += hits(logits, truth)
            reporter.step(f"lr {rate:.1e}")
        probabilities = predict_probabilities(run.averaged.module, validation.pixels)
        result = Epoch(
            epoch=epoch + 1,
            train_loss=losses.item() / len(train),
            train_accuracy=right.item() / len(train),
            validation_loss=cross_entropy(probabilities, validation.labels),
            validation_accuracy=accuracy(probabilities, validation.labels),
            seconds=time.monotonic() - started,
        )
        run.close_epoch(result)
        run.save(last, identity)
        reporter.epoch(result, recipe.epochs)

    run.model.load_state_dict(run.best)
    run.model.cpu()
    temperature = fit_temperature(run.model, validation)
    run.model.temperature.fill_(temperature)
    return TorchFit(
        run.model,
        tuple(run.history),
        run.best_epoch,
        temperature,
        precision,
    )
