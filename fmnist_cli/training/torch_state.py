"""The state of a fit of a PyTorch model, and its way into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from fmnist_cli.data.dataset import LabelledImages
from fmnist_cli.models.network import PixelClassifier
from fmnist_cli.models.registry import TorchRecipe
from fmnist_cli.training.checkpoint import save_tensors
from fmnist_cli.training.optimizer import moving_average, optimizers
from fmnist_cli.training.record import Epoch


def gathered(
    weights: Mapping[str, Mapping[str, Tensor]], optimizers: Sequence[torch.optim.Optimizer]
) -> dict[str, Tensor]:
    """Weights under their names, and what optimizers remember, as tensors of one file."""
    parts = dict(weights)
    for number, optimizer in enumerate(optimizers):
        slots = optimizer.state_dict()["state"].items()
        parts[f"optimizer{number}"] = {f"{i}.{k}": v for i, of in slots for k, v in of.items()}
    # Clones, since safetensors refuses tensors that share memory.
    return {f"{name}.{k}": v.clone() for name, of in parts.items() for k, v in of.items()}


def part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Some weights that `gathered` put there."""
    start = f"{name}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def restore_optimizers(
    optimizers: Sequence[torch.optim.Optimizer], tensors: Mapping[str, Tensor]
) -> None:
    """Let optimizers remember what `gathered` put there."""
    for number, optimizer in enumerate(optimizers):
        values = optimizer.state_dict()
        for key, value in part(tensors, f"optimizer{number}").items():
            index, _, name = key.partition(".")
            values["state"].setdefault(int(index), {})[name] = value
        optimizer.load_state_dict(values)


class FitState:
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

    def close_epoch(self, epoch: Epoch) -> None:
        """Keep the averaged weights if they are the best so far on validation."""
        best = max((e.validation_accuracy or 0.0 for e in self.history), default=0.0)
        self.history.append(epoch)
        if (epoch.validation_accuracy or 0.0) >= best:
            self.best, self.best_epoch = self._weights(), epoch.epoch

    def save(self, path: Path, identity: dict[str, Any]) -> None:
        """Write everything needed to go on after this epoch."""
        weights = {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "best": self.best,
        }
        state = {
            "identity": identity,
            "history": [asdict(epoch) for epoch in self.history],
            "best_epoch": self.best_epoch,
        }
        save_tensors(path, gathered(weights, self.optimizers), state)

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Take up what `save` wrote."""
        self.model.load_state_dict(part(tensors, "model"))
        self.averaged.load_state_dict(part(tensors, "averaged"))
        self.best = part(tensors, "best")
        restore_optimizers(self.optimizers, tensors)
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_epoch = state["best_epoch"]
