"""Fitting a network on frames: what it sees of each, what teachers say of that, and the fit.

Shifts and mirroring are drawn as a `View`, one of finitely many, before they are applied, so that
what a teacher says of each view can be looked up. The student sees the view of an image that the
teacher judged, epoch after epoch, as Beyer et al. 2022 ("patient and consistent") found to matter
in knowledge distillation (Hinton et al. 2015): a table replaces the teacher in the loop.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from torch import Tensor, nn
from torch.nn import functional

from fmnist_cli.contract import Pixels, Probabilities
from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.errors import ModelError
from fmnist_cli.evaluate.metrics import accuracy, cross_entropy
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import ModelSpec, TorchRecipe, get_spec
from fmnist_cli.training.job import Fit, Order
from fmnist_cli.training.parents import begin
from fmnist_cli.training.progress import Reporter
from fmnist_cli.training.record import (
    LAST_FILE,
    WEIGHTS_FILE,
    TrainingRecord,
    load_native,
    load_tensors,
    save_tensors,
)
from fmnist_cli.training.torch_fit import (
    BatchResult,
    TorchModel,
    Trainer,
    loss,
    one_cycle,
    optimizers,
    predict_probabilities,
)

Judge = Callable[[Pixels], Probabilities]


class View(NamedTuple):
    """How each image of a batch is seen; all int64 [N].

    Attributes:
        mirrored: 1 where left and right are swapped, after the shift.
        top: first row of the window in the padded picture, 0 to 2·reach.
        left: first column of the window, 0 to 2·reach.
    """

    mirrored: Tensor
    top: Tensor
    left: Tensor


def draw_view(count: int, reach: int, flip: bool, generator: torch.Generator) -> View:
    """Random views: any shift by up to `reach` pixels, half of them mirrored with `flip`."""
    top, left = torch.randint(0, 2 * reach + 1, (2, count), generator=generator)
    mirrored = torch.randint(0, 2 if flip else 1, (count,), generator=generator)
    return View(mirrored, top, left)


def see(pixels: Tensor, view: View, reach: int) -> Tensor:
    """The images as seen: uint8 [N, 28, 28] → the same shape, black where nothing is known.

    One gather shifts and mirrors: every output row and column names its source.
    """
    count, side = len(pixels), pixels.shape[-1]
    steps = torch.arange(side)
    columns = torch.where(view.mirrored[:, None] == 1, steps.flip(0), steps) + view.left[:, None]
    rows = view.top[:, None] + steps  # [N, 28], into the padded picture
    padded = functional.pad(pixels, (reach, reach, reach, reach))
    device = pixels.device
    index = torch.arange(count, device=device)[:, None, None]
    return padded[index, rows.to(device)[:, :, None], columns.to(device)[:, None, :]]


def erase(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Random erasing (Zhong et al. 2017): a rectangle of 4–14 pixels a side, one grey level.

    Args:
        pixels: uint8 [N, 28, 28].
        share: of the images that are treated so, 0 to 1.
        generator: source of all randomness, on the CPU.
    """
    if share == 0:
        return pixels
    count, side = len(pixels), pixels.shape[-1]
    size = torch.randint(4, side // 2 + 1, (2, count, 1), generator=generator)
    start = (torch.rand(2, count, 1, generator=generator) * (side - size + 1)).long()
    grid = torch.arange(side)
    inside = (grid >= start) & (grid < start + size)  # [2, N, 28]: rows, columns
    chosen = torch.rand(count, 1, 1, generator=generator) < share
    mask = inside[0][:, :, None] & inside[1][:, None, :] & chosen
    level = torch.randint(0, 256, (count, 1, 1), generator=generator, dtype=torch.uint8)
    return torch.where(mask.to(pixels.device), level.to(pixels.device), pixels)


def relight(pixels: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Other light: less contrast about the mean, and brightness that differs over the picture.

    Values that leave 0..255 are cut off, as a camera does.

    Args:
        pixels: uint8 [N, 28, 28].
        share: of the images that are treated so, 0 to 1.
        generator: source of all randomness, on the CPU.
    """
    if share == 0:
        return pixels
    count, side = len(pixels), pixels.shape[-1]
    contrast = torch.rand(count, 1, 1, generator=generator) * 0.95 + 0.1
    even = torch.rand(count, 1, 1, 1, generator=generator) * 160 - 20
    uneven = (torch.rand(count, 1, 3, 3, generator=generator) - 0.5) * 120
    # Half of the lights are even.
    uneven *= torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    added = functional.interpolate(even + uneven, size=(side, side), mode="bicubic")[:, 0]
    chosen = torch.rand(count, 1, 1, generator=generator) < share
    device = pixels.device
    values = pixels.float()
    mean = values.mean(dim=(1, 2), keepdim=True)
    lit = mean + contrast.to(device) * (values - mean) + added.to(device)
    return torch.where(chosen.to(device), lit.clamp(0, 255).round().to(torch.uint8), pixels)


def judge_views(judge: Judge, pixels: Pixels, reach: int, reporter: Reporter) -> Tensor:
    """What a model says of every view of every image.

    Args:
        judge: uint8 [N, 28, 28] → probabilities. What it says of an image is taken for its
            mirror image, too.
        pixels: uint8 [N, 28, 28].
        reach: largest shift in pixels.

    Returns:
        float16 [N, 2·reach + 1, 2·reach + 1, classes], by top and left of the view.
    """
    side = 2 * reach + 1
    images = torch.tensor(pixels)
    rows: list[Tensor] = []
    for top in range(side):
        for left in range(side):
            reporter.stage(f"teacher: view {len(rows) + 1} of {side * side}")
            view = View(*(torch.full((len(images),), v) for v in (0, top, left)))
            judged = judge(see(images, view, reach).numpy())
            rows.append(torch.from_numpy(judged).to(torch.float16))
    return torch.stack(rows, dim=1).reshape(len(images), side, side, -1)


def soft_labels(
    teachers: Mapping[str, Judge],
    pixels: Pixels,
    reach: int,
    folder: Path,
    reporter: Reporter,
) -> Tensor:
    """The mean of the teachers' tables (see `judge_views`).

    A table is made once and kept in `folder` for all students.

    Args:
        teachers: checksum of each model → what it says.
        pixels: uint8 [N, 28, 28].
        reach: largest shift in pixels.
    """
    checksum = hashlib.sha256(pixels.tobytes()).hexdigest()
    tables = []
    for sha256, judge in teachers.items():
        key = hashlib.sha256(f"{sha256} {checksum}".encode()).hexdigest()[:16]
        path = folder / f"soft-labels-{key}-{reach}.safetensors"
        if not path.exists():
            save_tensors(path, {"probabilities": judge_views(judge, pixels, reach, reporter)})
        tables.append(load_tensors(path)["probabilities"].float())
    return torch.stack(tables).mean(dim=0).to(torch.float16)


class _FrameObjective:
    """The `Objective` of frames: their labels, and what teachers say.

    Args:
        soft: what teachers say of each view of each training image, as from `soft_labels`.
        bfloat16: whether products run in that.
    """

    def __init__(
        self, model: PixelClassifier, order: Order, soft: Tensor | None, *, bfloat16: bool
    ) -> None:
        assert isinstance(order.job.recipe, TorchRecipe)  # noqa: S101
        self._model, self._recipe, self._soft = model, order.job.recipe, soft
        self._device, self._bfloat16 = order.device, bfloat16
        train, self._validation = order.data.train, order.data.validation
        self._pixels = torch.tensor(train.pixels, device=order.device)
        self._labels = torch.tensor(train.labels, device=order.device)
        self.steps = math.ceil(len(train) / self._recipe.batch_size)

    def batches(self, generator: torch.Generator) -> Iterator[BatchResult]:
        """All training images once, in random order."""
        recipe, device = self._recipe, self._device
        order = torch.randperm(len(self._pixels), generator=generator)
        for chosen in torch.split(order, recipe.batch_size):
            here = chosen.to(device)
            view = draw_view(len(chosen), recipe.translate, recipe.flip, generator)
            batch = see(self._pixels[here], view, recipe.translate)
            batch = relight(batch, recipe.relight, generator)
            batch = erase(batch, recipe.erase, generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=self._bfloat16):
                logits = self._model.logits(batch)
            logits, truth = logits.float(), self._labels[here]
            total = loss(logits, truth, recipe.label_smoothing)
            if self._soft is not None:
                judged = self._soft[chosen, view.top, view.left].to(device).float()
                judged **= 1 / recipe.teacher_temperature
                judged /= judged.sum(dim=1, keepdim=True)
                taught = functional.cross_entropy(logits, judged)
                total = (1 - recipe.teacher_share) * total + recipe.teacher_share * taught
            yield BatchResult(total, logits, truth)

    def validate(self, network: nn.Module) -> tuple[float, float]:
        """Loss and accuracy on the validation images."""
        said, labels = predict_probabilities(network, self._validation.pixels), self._validation
        return cross_entropy(said, labels.labels), accuracy(said, labels.labels)


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are done in hardware on this device."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def fit_temperature(model: PixelClassifier, validation: LabelledImages) -> float:
    """Temperature with the least validation loss (Guo et al. 2017)."""
    probabilities = predict_probabilities(model, validation.pixels).astype(np.float64)
    logits = np.log(np.maximum(probabilities, 1e-30))  # temperature is still 1
    chosen = np.arange(len(logits))

    def validation_loss(log_temperature: float) -> float:
        logs = log_softmax(logits / math.exp(log_temperature), axis=1)
        return -float(logs[chosen, validation.labels].mean())

    return math.exp(minimize_scalar(validation_loss, bounds=(-2.5, 2.5), method="bounded").x)


def fit_network(network: nn.Module, order: Order, soft: Tensor | None = None) -> Fit:
    """Fit `network` and its temperature, checkpointing every epoch in the run folder.

    Args:
        network: float32 [N, 1, 28, 28] → logits; initialised by the caller.
        soft: see `_FrameObjective`; None to learn from labels alone.

    Raises:
        TrainingError: the checkpoint to resume from is damaged or of another run.
    """
    recipe, train = order.job.recipe, order.data.train
    assert isinstance(recipe, TorchRecipe)  # noqa: S101
    scaled = train.pixels.astype(np.float32) / 255
    model = PixelClassifier(network, float(scaled.mean()), float(scaled.std()))
    # Channels last is faster on the two cores this was tried on.
    model.to(order.device).to(memory_format=torch.channels_last)
    bfloat16 = recipe.bfloat16 and has_bfloat16(order.device)
    precision = "bfloat16" if bfloat16 else "float32"
    trainer = Trainer(
        model.train(),
        optimizers(model, recipe),
        recipe.ema_decay,
        order.run_dir / LAST_FILE,
        {**order.identity, "precision": precision},
        resume=order.resume,
    )
    objective = _FrameObjective(model, order, soft, bfloat16=bfloat16)
    steps = objective.steps
    order.reporter.start(
        order.identity["model"], steps * recipe.epochs, steps * len(trainer.history)
    )
    trainer.run(
        objective, recipe.epochs, lambda at: recipe.learning_rate * one_cycle(at), order.reporter
    )
    model.load_state_dict(trainer.best)
    model.cpu()
    temperature = fit_temperature(model, order.data.validation)
    model.temperature.fill_(temperature)
    validation_loss, validation_accuracy = objective.validate(model)
    return Fit(
        TorchModel(model),
        lambda run_dir: save_tensors(run_dir / WEIGHTS_FILE, model.state_dict()),
        tuple(trainer.history),
        ("numpy", "torch"),
        (validation_accuracy, validation_loss),
        len(order.data.validation),
        best_epoch=trainer.best_epoch,
        temperature=temperature,
        precision=precision,
    )


def fit(order: Order) -> Fit:
    """Fit the network of a model, from weights and with teachers where the job has them."""
    job, data = order.job, order.data
    assert isinstance(job.recipe, TorchRecipe)  # noqa: S101
    torch.manual_seed(job.seed)
    network = job.spec.load().build(len(data.class_names), **job.recipe.params)
    if job.start is not None:
        begin(network, job.start, data.class_names, data.train.pixels)
    judges: dict[str, Judge] = {
        teacher.identity["sha256"]: teacher.probabilities for teacher in job.teachers
    }
    for parent in order.parents:
        native = load_native(get_spec(parent.record.model), parent.run_dir)
        judges[parent.sha256] = native.probabilities
    soft = None
    if judges:
        order.reporter.start(job.spec.name, None)
        soft = soft_labels(
            judges, data.train.pixels, job.recipe.translate, order.run_dir.parent, order.reporter
        )
    return fit_network(network, order, soft)


def load(spec: ModelSpec, record: TrainingRecord, run_dir: Path) -> TorchModel:
    """The model of a finished run."""
    params = record.recipe.get("params", {})
    model = PixelClassifier(spec.load().build(len(record.class_names), **params))
    try:
        model.load_state_dict(load_tensors(run_dir / WEIGHTS_FILE))
    except RuntimeError as error:
        raise ModelError(
            f"{run_dir / WEIGHTS_FILE} does not fit the network {spec.name}; train it again"
        ) from error
    return TorchModel(model)
