"""The usual script: a torchvision-style data set, a DataLoader and the network in PyTorch.

Run: python -m peers.torch_loader FOLDER WEIGHTS MODEL OUTPUT --workers N [--limit N]

It labels every picture below FOLDER with the network MODEL and writes one line of JSON for
each. On standard output: images, and seconds from the first file to the last line.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path

import torch
from PIL import ImageOps
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets.folder import default_loader

from fmnist_cli.data.fashion_mnist import CLASS_NAMES
from fmnist_cli.models.network import PictureClassifier, PixelClassifier
from peers.network import build

BATCH_SIZE = 64
WARM_UP = 4  # pictures
SUFFIXES = {".png", ".jpg", ".jpeg"}


class PictureFolder(Dataset[tuple[torch.Tensor, str]]):
    """All pictures below a folder, as tensors, with their names."""

    def __init__(self, root: Path, transform: transforms.Compose, limit: int | None) -> None:
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        self.root = root
        self.paths = paths[:limit]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]:
        path = self.paths[index]
        image = default_loader(str(path))  # as ImageFolder does: Pillow, RGB
        return self.transform(image), path.relative_to(self.root).as_posix()


def load(model: str, weights: Path) -> PixelClassifier:
    """The network with its weights, ready to predict."""
    classifier = build(model)
    classifier.load_state_dict(torch.load(weights, weights_only=True))
    return classifier


def label(
    classifier: PixelClassifier, root: Path, output: Path, workers: int, limit: int | None = None
) -> int:
    """Write one line per picture; returns how many."""
    mean, std = float(classifier.mean), float(classifier.std)
    if isinstance(classifier, PictureClassifier):
        height, width, _ = classifier.shape
        sized = [transforms.Lambda(partial(ImageOps.pad, size=(width, height), color=(127,) * 3))]
    else:
        sized = [transforms.Grayscale(), transforms.Resize((28, 28))]
    scaled = [transforms.ToTensor(), transforms.Normalize((mean,), (std,))]
    transform = transforms.Compose([*sized, *scaled])
    folder = PictureFolder(root, transform, limit)
    loader = DataLoader(folder, batch_size=BATCH_SIZE, num_workers=workers)
    with output.open("w", encoding="utf-8") as stream, torch.inference_mode():
        for pixels, names in loader:
            logits = classifier.scores(pixels)
            best = torch.softmax(logits / classifier.temperature, dim=1).max(dim=1)
            for name, confidence, index in zip(
                names, best.values.tolist(), best.indices.tolist(), strict=True
            ):
                row = {"path": name, "label": CLASS_NAMES[index], "confidence": confidence}
                stream.write(json.dumps(row) + "\n")
    return len(folder)


def main() -> None:
    """Label a few pictures to load whatever is loaded at first use, then all of them, timed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("model")
    parser.add_argument("output", type=Path)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    classifier = load(options.model, options.weights)
    begun = time.perf_counter()
    label(classifier, options.folder, options.output, options.workers, limit=WARM_UP)
    started = time.perf_counter()
    images = label(classifier, options.folder, options.output, options.workers, options.limit)
    times = {"warm_up": started - begun, "seconds": time.perf_counter() - started}
    print(json.dumps({"images": images, "threads": torch.get_num_threads(), **times}))


if __name__ == "__main__":
    main()
