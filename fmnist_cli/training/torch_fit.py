"""Fitting a PyTorch model: one straight loop, resumable at every epoch."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.recipes import TorchRecipe
from fmnist_cli.training.augment import draw_view, erase, see
from fmnist_cli.training.batches import Batches
from fmnist_cli.training.checkpoint import LAST_FILE, load_state, save_tensors
from fmnist_cli.training.job import TrainingData, check_same_run
from fmnist_cli.training.optimizer import moving_average, optimizers
from fmnist_cli.training.photographed import photographed
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import Epoch
from fmnist_cli.training.truth import hits, loss, truth_of

_SHOES = ("Sandal", "Sneaker", "Ankle boot")


@dataclass(frozen=True, slots=True)
class TorchFit:
    """A fitted network and how it got there."""

    model: PixelClassifier
    history: tuple[Epoch, ...]
    best_epoch: int
    temperature: float
    precision: str


def one_cycle(progress: float, warm_up: float = 0.2) -> float:
    """Share of the peak learning rate at `progress` (0 to 1) through training.

    Linear warm-up, then cosine to zero (Smith & Topin 2018). A function of progress
    alone, so that a resumed run needs no scheduler state.
    """
    if progress < warm_up:
        return 0.04 + 0.96 * progress / warm_up
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


class _Run:
    """The moving parts of one fit: everything a checkpoint must hold."""

    def __init__(
        self, network: nn.Module, recipe: TorchRecipe, train: LabelledImages, device: torch.device
    ) -> None:
        scaled = train.pixels.astype(np.float32) / 255
        self.model = PixelClassifier(network, float(scaled.mean()), float(scaled.std()))
        # Faster than channels first on the two cores this was tried on.
        self.model.to(device).to(memory_format=torch.channels_last)
        averaging = moving_average(recipe.ema_decay)
        self.averaged = AveragedModel(self.model, multi_avg_fn=averaging, use_buffers=True)
        self.optimizers = optimizers(self.model, recipe)
        self.best = self._weights()
        self.best_epoch = 0
        self.history: list[Epoch] = []

    def _weights(self) -> dict[str, Tensor]:
        state = self.averaged.module.state_dict()
        return {name: tensor.detach().clone() for name, tensor in state.items()}

    def close_epoch(self, epoch: Epoch, photo_share: float) -> None:
        """Keep the averaged weights if they are the best so far on validation."""
        best = max((e.score(photo_share) for e in self.history), default=-1.0)
        self.history.append(epoch)
        if epoch.score(photo_share) >= best:
            self.best, self.best_epoch = self._weights(), epoch.epoch

    def save(self, path: Path, identity: dict[str, Any]) -> None:
        """Write everything needed to go on after this epoch."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for number, optimizer in enumerate(self.optimizers):
            for index, slots in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer{number}.{index}.{k}": v for k, v in slots.items()}
        # Clones, since safetensors refuses tensors that share memory.
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
        state = {
            "identity": identity,
            "history": [asdict(epoch) for epoch in self.history],
            "best_epoch": self.best_epoch,
        }
        save_tensors(path, tensors, state)

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take up what `save` wrote."""

        def part(prefix: str) -> dict[str, Tensor]:
            start = f"{prefix}."
            return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

        self.model.load_state_dict(part("model"))
        self.averaged.load_state_dict(part("averaged"))
        self.best = part("best")
        for number, optimizer in enumerate(self.optimizers):
            values = optimizer.state_dict()
            for key, value in part(f"optimizer{number}").items():
                index, _, name = key.partition(".")
                values["state"].setdefault(int(index), {})[name] = value
            optimizer.load_state_dict(values)
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_epoch = state["best_epoch"]


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
    run = _Run(network, recipe, train, device)
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
    truth = torch.tensor(train.labels, device=device)
    photos = data.photos if data.photos is not None and len(data.photos.fitted) else None
    if photos is not None:
        allowed = torch.tensor(photos.fitted.allowed, device=device)
        pixels = torch.cat([pixels, torch.tensor(photos.fitted.pixels, device=device)])
        truth = truth_of(truth, allowed)
    loose = _shoes(truth, data.class_names)
    share = 0.0 if soft is None else recipe.teacher_share
    batches = Batches(
        len(train), len(pixels) - len(train), recipe.batch_size, recipe.photo_share, data.rounds
    )
    reporter.start(
        identity["model"], batches.steps * recipe.epochs, batches.steps * len(run.history)
    )

    for epoch in range(len(run.history), recipe.epochs):
        started = time.monotonic()
        # Dropout draws from the global generator, order and augmentation from their own.
        torch.manual_seed(seed * 100_003 + epoch)
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        run.model.train()
        losses = torch.zeros((), device=device)
        right = torch.zeros((), device=device)
        seen = 0
        for step, (chosen, images) in enumerate(batches.draw(generator)):
            progress = (epoch + step / batches.steps) / recipe.epochs
            rate = recipe.learning_rate * one_cycle(progress)
            for optimizer in run.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            view = draw_view(len(chosen), recipe.translate, recipe.flip, generator)
            here = chosen.to(device)
            batch = see(pixels[here], view, recipe.translate)
            batch = erase(batch, recipe.erase, generator)
            if recipe.photographed:
                batch = _photographed(batch, loose[here], recipe.photographed, generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                logits = run.model.logits(batch)
            logits = logits.float()
            total = loss(logits[:images], truth[here[:images]], recipe.label_smoothing)
            if soft is not None:
                judged = soft[chosen[:images], view.top[:images], view.left[:images]]
                judged = judged.to(device).float() ** (1 / recipe.teacher_temperature)
                judged /= judged.sum(dim=1, keepdim=True)
                taught = functional.cross_entropy(logits[:images], judged)
                total = (1 - share) * total + share * taught
            if images < len(chosen):  # of photos teachers say nothing
                own = loss(logits[images:], truth[here[images:]], recipe.label_smoothing)
                total = total + (own - total) * (1 - images / len(chosen))
            for optimizer in run.optimizers:
                optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            for optimizer in run.optimizers:
                optimizer.step()
            run.averaged.update_parameters(run.model)
            with torch.no_grad():
                losses += loss(logits, truth[here], reduction="sum")
                right += hits(logits, truth[here])
            seen += len(chosen)
            reporter.step(f"lr {rate:.1e}")
        probabilities = predict_probabilities(run.averaged.module, validation.pixels)
        photo_accuracy = None
        if photos is not None:
            held = predict_probabilities(run.averaged.module, photos.held.pixels)
            photo_accuracy = photos.measure(held)["macro_accuracy"]
        result = Epoch(
            epoch=epoch + 1,
            train_loss=losses.item() / seen,
            train_accuracy=right.item() / seen,
            validation_loss=cross_entropy(probabilities, validation.labels),
            validation_accuracy=accuracy(probabilities, validation.labels),
            seconds=time.monotonic() - started,
            photo_accuracy=photo_accuracy,
        )
        run.close_epoch(result, recipe.photo_share)
        run.save(last, identity)
        reporter.epoch(result, recipe.epochs)

    run.model.load_state_dict(run.best)
    run.model.cpu()
    run.model.mirror_average = recipe.mirror_average  # only now: validation takes half the time
    temperature = fit_temperature(run.model, validation)
    run.model.temperature.fill_(temperature)
    return TorchFit(
        run.model,
        tuple(run.history),
        run.best_epoch,
        temperature,
        precision,
    )
