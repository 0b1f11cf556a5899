"""What the data set looks like, in figures: counts, brightness, mean images, a map of images."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from fmnist_cli import __version__
from fmnist_cli.contract import Labels
from fmnist_cli.data.dataset import LabelledImages, load_split
from fmnist_cli.data.fashion_mnist import CLASS_NAMES, Split, data_checksum
from fmnist_cli.models.features import HogFeatures

FORMAT = 1
_COMPONENTS = 50
_PERPLEXITY = 30.0  # how many neighbours t-SNE looks at, about
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def describe(data_dir: Path | None, points: int, seed: int) -> dict[str, Any]:
    """The description of the data set as JSON values.

    ``splits`` has counts and brightness (0 to 1) per split; ``mean_images`` per class the base64
    of uint8 [28, 28], the mean of the training split; ``embedding`` the map of `embedding`,
    whose arguments `points` and `seed` are.

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
        "embedding": {"split": "validation", **embedding(parts["validation"], points, seed)},
    }


def _counts(images: LabelledImages) -> dict[str, Any]:
    return {
        **images.counts(),
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


def embedding(images: LabelledImages, points: int, seed: int) -> dict[str, Any]:
    """A map on which images that look alike are neighbours.

    t-SNE (van der Maaten and Hinton 2008) of scikit-learn, started from the first principal
    components, over 50 principal components of histograms of gradients.

    Args:
        images: which are put on it.
        points: at most so many of them, the same share of each class.
        seed: decides which, and where t-SNE starts.

    Returns:
        ``index`` in the official file, ``class_id``, ``x`` and ``y`` of each image, and how the
        map was made.
    """
    chosen = stratified(images.labels, points, seed)
    perplexity = min(_PERPLEXITY, (len(chosen) - 1) / 3)  # of a small map
    places = chosen if images.positions is None else images.positions[chosen]
    features = HogFeatures().transform(images.pixels[chosen])
    components = min(_COMPONENTS, len(chosen))
    reduced = PCA(components, svd_solver="full").fit_transform(features)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    x, y = tsne.fit_transform(reduced).astype(np.float64).T.tolist()
    return {
        "method": "t-SNE of histograms of gradients",
        "seed": seed,
        "perplexity": perplexity,
        "index": places.tolist(),
        "class_id": images.labels[chosen].tolist(),
        "x": [round(value, 2) for value in x],
        "y": [round(value, 2) for value in y],
    }


def stratified(labels: Labels, count: int, seed: int) -> npt.NDArray[np.intp]:
    """Ascending positions of at most `count` images, as many of each class as there are."""
    rng = np.random.default_rng(seed)
    each = max(1, count // len(CLASS_NAMES))
    members = (np.flatnonzero(labels == class_id) for class_id in range(len(CLASS_NAMES)))
    return np.sort(np.concatenate([rng.permutation(one)[:each] for one in members]))
