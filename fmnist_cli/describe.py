"""What the data set looks like, in figures: counts, brightness, mean images, a map of images."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from fmnist_cli import __version__
from fmnist_cli.contract import Labels, Pixels
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, Split, data_checksum
from fmnist_cli.models.features import HogFeatures

FORMAT = 1
_COMPONENTS = 50
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How the map is made.

    Attributes:
        images: at most so many, the same share of each class.
        seed: decides which images, and where t-SNE starts.
        perplexity: how many neighbours t-SNE looks at, about.
    """

    images: int = 1500
    seed: int = 0
    perplexity: float = 30.0


def describe(data_dir: Path | None, options: MapOptions) -> dict[str, Any]:
    """The description of the data set as JSON values.

    ``splits`` has counts and brightness (0 to 1) per split; ``mean_images`` per class the base64
    of uint8 [28, 28], the mean of the training split; ``embedding`` the map of `embedding`.

    Raises:
        DataError: files are missing or corrupt.
    """
    parts = {split: load_split(split, data_dir) for split in _SPLITS}
    return {
        "format": FORMAT,
        "version": __version__,
        "data_checksum": data_checksum(data_dir),
        "splits": {split: _counts(images) for split, images in parts.items()},
        "mean_images": mean_images(parts["train"]),
        # Validation images: the test split is for judging finished models alone.
        "embedding": {"split": "validation", **embedding(parts["validation"], options)},
    }


def _counts(images: LabelledImages) -> dict[str, Any]:
    counts = np.bincount(images.labels, minlength=len(CLASS_NAMES)).tolist()
    return {
        "images": len(images),
        "classes": dict(zip(CLASS_NAMES, counts, strict=True)),
        "pixels": {
            "mean": round(float(images.pixels.mean(dtype=np.float64)) / 255, 4),
            "standard_deviation": round(float(images.pixels.std(dtype=np.float64)) / 255, 4),
            "share_background": round(float((images.pixels == 0).mean()), 4),
        },
    }


def mean_images(images: LabelledImages) -> dict[str, str]:
    """Base64 of the mean image, uint8 [28, 28], of each class that has images."""
    found = {}
    for class_id, name in enumerate(CLASS_NAMES):
        members = images.pixels[images.labels == class_id]
        if len(members):
            mean = np.rint(members.mean(axis=0)).astype(np.uint8)
            found[name] = b64encode(mean.tobytes()).decode()
    return found


def embedding(images: LabelledImages, options: MapOptions) -> dict[str, Any]:
    """A map on which images that look alike are neighbours.

    t-SNE (van der Maaten and Hinton 2008) of scikit-learn, started from the first principal
    components, over 50 principal components of histograms of gradients.

    Returns:
        ``index`` in the official file, ``class_id``, ``x`` and ``y`` of each image, and how the
        map was made.
    """
    chosen = stratified(images.labels, options.images, options.seed)
    perplexity = min(options.perplexity, (len(chosen) - 1) / 3)  # of a small map
    points = _project(images.pixels[chosen], perplexity, options.seed)
    places = chosen if images.positions is None else images.positions[chosen]
    return {
        "method": "t-SNE of histograms of gradients",
        "seed": options.seed,
        "perplexity": perplexity,
        "index": places.tolist(),
        "class_id": images.labels[chosen].tolist(),
        "x": [round(x, 2) for x in points[:, 0].tolist()],
        "y": [round(y, 2) for y in points[:, 1].tolist()],
    }


def stratified(labels: Labels, count: int, seed: int) -> npt.NDArray[np.intp]:
    """Ascending positions of at most `count` images, as many of each class as there are."""
    rng = np.random.default_rng(seed)
    each = max(1, count // len(CLASS_NAMES))
    members = (np.flatnonzero(labels == class_id) for class_id in range(len(CLASS_NAMES)))
    return np.sort(np.concatenate([rng.permutation(one)[:each] for one in members]))


def _project(pixels: Pixels, perplexity: float, seed: int) -> npt.NDArray[np.float64]:
    features = HogFeatures().transform(pixels)
    components = min(_COMPONENTS, len(pixels))
    reduced = PCA(components, svd_solver="full").fit_transform(features)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    points: npt.NDArray[np.float64] = tsne.fit_transform(reduced).astype(np.float64)
    return points
