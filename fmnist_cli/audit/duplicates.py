"""Images that are there twice: the same bytes, or the same picture shifted by a pixel or mirrored.

Two images are compared by the normalised correlation of a 26×26 window in the middle of the
one with windows at the nine places of the other, as it is and mirrored. Correlation c of unit
vectors is a distance √(2 - 2c), which no projection makes longer: so neighbours within it among
a few principal components (found by a k-d tree) are all the pairs there can be, and only those
are compared pixel by pixel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from sklearn.decomposition import PCA

from fmnist_cli.contract import Pixels

THRESHOLD = 0.996  # chosen by looking at pairs; see docs/research/audit.md
_COMPONENTS = 32
_FITTED_ON = 10_000  # images; components of more are hardly better
_CHUNK = 20_000

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """How an image is looked at: mirrored or not, and moved by so many pixels."""

    mirrored: bool
    down: int
    right: int

    def windows(self, pixels: Pixels) -> Pixels:
        """uint8 [N, H, W] → uint8 [N, H - 2, W - 2]."""
        shown = pixels[:, :, ::-1] if self.mirrored else pixels
        top, left = 1 + self.down, 1 + self.right
        height, width = pixels.shape[1] - 2, pixels.shape[2] - 2
        return shown[:, top : top + height, left : left + width]


_AS_IT_IS = View(False, 0, 0)
# The other views are among these with first and second image exchanged: moving the one down
# is moving the other up, and mirroring both turns right into left.
_VIEWS = (
    _AS_IT_IS,
    View(False, 0, 1),
    *(View(False, 1, right) for right in (-1, 0, 1)),
    *(View(True, down, right) for down, right in product((0, 1), (-1, 0, 1))),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images that show the same.

    Attributes:
        first: position of the one.
        second: position of the other, larger.
        correlation: of the windows, up to 1.
        kind: ``exact`` (the same bytes), ``near``, ``shifted``, ``mirrored``.
    """

    first: int
    second: int
    correlation: float
    kind: str


def find_pairs(
    pixels: Pixels,
    threshold: float = THRESHOLD,
    progress: Callable[[int, int], object] = lambda _done, _of: None,
) -> list[Pair]:
    """All pairs that correlate by `threshold` or more in some view, by position.

    Args:
        pixels: uint8 [N, H, W].
        threshold: above 0, up to 1.
        progress: told how many views of how many are done.
    """
    best: dict[tuple[int, int], Pair] = {}
    for pair in _exact(pixels):
        best[pair.first, pair.second] = pair
    if len(pixels) < 2:
        return []
    sample = _unit(_AS_IT_IS.windows(pixels[:: 1 + len(pixels) // _FITTED_ON]))
    components = min(_COMPONENTS, *sample.shape)
    solver = "full" if len(sample) < sample.shape[1] else "covariance_eigh"
    pca = PCA(components, svd_solver=solver).fit(sample)
    # A little wider than the distance, for what float32 rounds away.
    radius = float(np.sqrt(2 - 2 * threshold)) + 1e-3
    tree = cKDTree(_projected(pca, _AS_IT_IS, pixels))
    for number, view in enumerate(_VIEWS, start=1):
        other = tree if view == _AS_IT_IS else cKDTree(_projected(pca, view, pixels))
        near = tree.sparse_distance_matrix(other, radius, output_type="ndarray")
        one, two = near["i"], near["j"]
        chosen = one < two if view == _AS_IT_IS else one != two
        for pair in _verified(pixels, view, one[chosen], two[chosen], threshold):
            known = best.get((pair.first, pair.second))
            if known is None or (known.kind != "exact" and known.correlation < pair.correlation):
                best[pair.first, pair.second] = pair
        progress(number, len(_VIEWS))
    return [best[key] for key in sorted(best)]


def groups(pairs: list[Pair], images: int) -> list[list[int]]:
    """Positions that hang together by pairs, each group ascending; ordered by their first."""
    if not pairs:
        return []
    ends = np.array([(pair.first, pair.second) for pair in pairs]).T
    graph = coo_array((np.ones(len(pairs), np.int8), (ends[0], ends[1])), shape=(images, images))
    _, component = connected_components(graph, directed=False)
    members: dict[int, list[int]] = defaultdict(list)
    for position in np.unique(ends).tolist():
        members[int(component[position])].append(position)
    return sorted(members.values())


def _exact(pixels: Pixels) -> Iterator[Pair]:
    """Each image that is byte for byte an earlier one, with the first such."""
    first: dict[bytes, int] = {}
    for position, image in enumerate(pixels):
        earlier = first.setdefault(image.tobytes(), position)
        if earlier != position:
            yield Pair(earlier, position, 1.0, "exact")


def _unit(windows: Pixels) -> Vectors:
    """Windows as vectors of mean 0 and length 1; those of one grey all through stay 0."""
    vectors = windows.reshape(len(windows), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors


def _projected(pca: PCA, view: View, pixels: Pixels) -> Vectors:
    """float32 [N, components] of a view of all images."""
    parts = (view.windows(pixels[at : at + _CHUNK]) for at in range(0, len(pixels), _CHUNK))
    return np.concatenate([pca.transform(_unit(part)) for part in parts])


def _verified(
    pixels: Pixels,
    view: View,
    one: npt.NDArray[np.intp],
    two: npt.NDArray[np.intp],
    threshold: float,
) -> Iterator[Pair]:
    """The candidates whose windows do correlate so far."""
    kind = "mirrored" if view.mirrored else "near" if view == _AS_IT_IS else "shifted"
    for start in range(0, len(one), _CHUNK):
        a, b = one[start : start + _CHUNK], two[start : start + _CHUNK]
        straight, viewed = _unit(_AS_IT_IS.windows(pixels[a])), _unit(view.windows(pixels[b]))
        correlations = np.einsum("ij,ij->i", straight, viewed)
        for index in np.flatnonzero(correlations >= threshold).tolist():
            ends = sorted((int(a[index]), int(b[index])))
            yield Pair(ends[0], ends[1], min(1.0, float(correlations[index])), kind)
