"""What a run is made from, to distil, to stack or to start from: other runs, exported models."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fmnist_cli.contract import ModelCard, Pixels, Probabilities
from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.errors import ModelError, TrainingError, UsageError
from fmnist_cli.inference.models import ModelFile, open_model
from fmnist_cli.inference.session import Session
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.training.record import PIPELINE_FILE, WEIGHTS_FILE, TrainingRecord
from fmnist_cli.training.restore import NORMALIZATIONS, restore

_LEFT_OUT = r", \d+ images left out \(\w+\)$"  # as TrainingData.without says it
_ENOUGH = 5000  # images for the statistics of normalisations


@dataclass(frozen=True, slots=True)
class Parent:
    """A finished run.

    Attributes:
        sha256: of its fitted model.
    """

    run_dir: Path
    record: TrainingRecord
    sha256: str

    @classmethod
    def of(cls, run_dir: Path) -> Parent:
        """The run in a folder.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        record = TrainingRecord.read(run_dir)
        for name in (WEIGHTS_FILE, PIPELINE_FILE):
            if (run_dir / name).is_file():
                content = (run_dir / name).read_bytes()
                return cls(run_dir, record, hashlib.sha256(content).hexdigest())
        raise ModelError(f"{run_dir} holds no fitted model; train {record.model} again")

    def identity(self) -> dict[str, Any]:
        """What the record of a run made from this one says of it."""
        own = self.record
        return {
            "model": own.model,
            "preset": own.preset,
            "seed": own.seed,
            "validation_accuracy": own.validation_accuracy,
            "sha256": self.sha256,
            "parents": tuple(dict(parent) for parent in own.parents),
        }

    def check(self, class_names: Sequence[str], data_checksum: str, split_seed: int) -> None:
        """Whether another run may be made from this one.

        Args:
            class_names: of the other run.
            data_checksum: of its training images.
            split_seed: of its division.

        Raises:
            TrainingError: this run's classes are others, or it may have seen some of the other's
                validation images, so that their accuracy would mean nothing.
        """
        own = self.record
        if own.class_names != tuple(class_names):
            raise TrainingError(
                f"{self.run_dir} knows the classes {', '.join(own.class_names)}, but here they are"
                f" {', '.join(class_names)}; train it again: fmnist train {own.model}"
            )
        # Training images left out make no difference; a fold of an audit is other data.
        data = [re.sub(_LEFT_OUT, "", checksum) for checksum in (own.data_checksum, data_checksum)]
        if data[0] != data[1] or own.split_seed != split_seed:
            raise TrainingError(
                f"{self.run_dir} was trained on other data or another split (seed"
                f" {own.split_seed}, not {split_seed}), so it may know the validation images;"
                f" train it again: fmnist train {own.model}"
            )


def exported_identity(file: ModelFile, card: ModelCard) -> dict[str, Any]:
    """What the record of a run made from an exported model says of it."""
    identity: dict[str, Any] = {
        "model": card.name,
        "preset": card.preset,
        "seed": card.seed,
        "sha256": file.sha256,
        "data_checksum": card.data_checksum,
    }
    if file.entry is not None:
        training = file.entry.training
        kept = ("recipe", "seconds", "best_epoch", "validation_accuracy", "parents")
        identity |= {key: training[key] for key in kept if key in training}
    return identity


@dataclass(frozen=True, slots=True)
class Teacher:
    """An exported model whose predictions are learnt from.

    Attributes:
        identity: what the record of the run says of it.
        probabilities: uint8 [N, 28, 28] → float32 [N, classes].
        file: its graph.
    """

    identity: Mapping[str, Any]
    probabilities: Callable[[Pixels], Probabilities]
    file: ModelFile

    @classmethod
    def of(cls, name: str, models_dir: Path | None = None) -> Teacher:
        """An exported model by name, or an ``.onnx`` file by path.

        Raises:
            UsageError, ModelError: there is none, or it is damaged.
        """
        file = open_model(name, models_dir)
        session = Session(file)
        if session.card.class_names != CLASS_NAMES:
            raise UsageError(f"--teacher {name} knows other classes than those to be learnt")
        return cls(exported_identity(file, session.card), session.probabilities, file)


@dataclass(frozen=True, slots=True)
class Start:
    """A network to start from.

    Attributes:
        model: the network, on the CPU, its normalisations folded into products.
        class_names: of its columns.
        identity: what the record of the run says of it.
    """

    model: PixelClassifier
    class_names: tuple[str, ...]
    identity: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, models_dir: Path | None = None) -> Start:
        """An exported model by name, or an ``.onnx`` file by path.

        Raises:
            UsageError, ModelError: there is none, or it is no network of the registry.
        """
        file = open_model(name, models_dir)
        model, card = restore(file), Session(file).card
        return cls(model, card.class_names, exported_identity(file, card))


@torch.no_grad()
def begin(network: nn.Module, start: Start, class_names: tuple[str, ...], pixels: Pixels) -> None:
    """Give `network` the weights of `start`, ready to be trained on.

    Classes that `start` does not know keep their own.

    Args:
        network: float32 [N, 1, 28, 28] → logits, in place.
        start: where from.
        class_names: of the network's outputs.
        pixels: uint8 [N, 28, 28], images that it is going to see.

    Raises:
        TrainingError: they are networks of different layers.
    """
    unfold(start.model, pixels[:_ENOUGH])
    source, target = start.model.network.state_dict(), network.state_dict()
    output = list(target)[-2:]  # weight and bias of the last layer, a row per class
    common = [name for name in class_names if name in start.class_names]
    ours = [class_names.index(name) for name in common]
    theirs = [start.class_names.index(name) for name in common]
    for name, value in target.items():
        found = source.get(name)
        if found is not None and name in output and found.shape[1:] == value.shape[1:]:
            value[ours] = found[theirs]
        elif found is not None and found.shape == value.shape:
            value.copy_(found)
        else:
            raise TrainingError(
                f"--init: {start.identity['model']} has other layers than the network that is to"
                f" be trained ({name}); start from a model of the same kind"
            )


@torch.no_grad()
def unfold(model: PixelClassifier, pixels: Pixels, batch_size: int = 1000) -> None:
    """Give normalisations that were folded into products before them statistics again.

    An exported network computes what it did with the normalisation inside the convolution. To train
    on, each normalisation gets the mean and variance of what comes in, and weights that undo them,
    so the function stays the same.

    Args:
        model: in place.
        pixels: uint8 [N, 28, 28], of which the statistics are taken.
    """
    layers = [layer for layer in model.network.modules() if isinstance(layer, NORMALIZATIONS)]
    totals: dict[nn.Module, list[Tensor]] = {layer: [] for layer in layers}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        axes = [axis for axis in range(inputs[0].dim()) if axis != 1]
        values = inputs[0].double()
        totals[layer].append(torch.stack([values.mean(axes), (values**2).mean(axes)]))

    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    model.eval()
    for start in range(0, len(pixels), batch_size):
        model.logits(torch.tensor(pixels[start : start + batch_size]))
    for hook in hooks:
        hook.remove()
    for layer in layers:
        assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)  # noqa: S101
        assert layer.running_mean is not None  # noqa: S101
        assert layer.running_var is not None  # noqa: S101
        mean, square = torch.stack(totals[layer]).mean(dim=0)
        variance = (square - mean**2).clamp(min=1e-8)
        old = layer.weight / (layer.running_var + layer.eps).sqrt()
        layer.bias.add_(old * (mean.float() - layer.running_mean))
        layer.weight.copy_(old * (variance.float() + layer.eps).sqrt())
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)
