"""Pictures to learn from: checked before any slow work, then seen by a model that has features."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist_cli.contract import UNKNOWN, Embeddings, Pixels, Prediction, Rejected
from fmnist_cli.decode.quiet import libraries_quiet
from fmnist_cli.engines import default_engine, ordered_map
from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.inference.classifier import Classifier, route_of
from fmnist_cli.inference.session import Outputs, Session
from fmnist_cli.labelled.pictures import LabelledPictures
from fmnist_cli.labelled.source import Labelled, folded, some
from fmnist_cli.machine import available_cores
from fmnist_cli.sources.items import Item

FEWEST = 5  # pictures of a class


class Examples(NamedTuple):
    """What is learned from; of pictures that are gone, what is kept of them.

    Attributes:
        embeddings: float32 [N, 2, D], features of each picture and of its mirror image.
        labels: str [N].
        paths: str [N].
        digests: str [N], SHA-256 of each file, in hexadecimal.
    """

    embeddings: Embeddings
    labels: npt.NDArray[np.str_]
    paths: npt.NDArray[np.str_]
    digests: npt.NDArray[np.str_]

    def updated(self, new: Examples) -> Examples:
        """These and new ones; of a picture in both, the new label counts."""
        old = ~np.isin(self.digests, new.digests)
        pairs = zip(self, new, strict=True)
        return Examples(*(np.concatenate([before[old], after]) for before, after in pairs))


def check_names(counts: Counter[str], name: str) -> None:
    """Whether these classes can be learned.

    Args:
        counts: pictures of each.
        name: where they are, for messages.

    Raises:
        DataError: they cannot; says why and what to do.
    """
    if not counts:
        raise DataError(
            f"{name} holds no labelled pictures; put them into one folder per class, as in"
            f" {name}/dress/picture.jpg"
        )
    if strange := [one for one in counts if folded(one) == UNKNOWN]:
        raise DataError(
            f'{counts[strange[0]]:,} pictures of {name} have the label "{strange[0]}", which is no'
            " class; give them another, or leave them out"
        )
    if len(counts) == 1:
        raise DataError(
            f"{name} has one class only, {next(iter(counts))}; a model tells at least two apart."
            " If that is a folder of classes, name it instead"
        )
    known: dict[str, str] = {}
    for one in counts:
        if (other := known.setdefault(folded(one), one)) != one:
            raise DataError(f"{name} has {other!r} and {one!r}; give both the same name")
    if few := [one for one in counts if counts[one] < FEWEST]:
        which = some([f"{one} ({counts[one]})" for one in few])
        raise DataError(
            f"{name}: at least {FEWEST} different pictures of a class are needed, too few has"
            f" {which}; add some, or leave the class out"
        )


def check(labelled: Labelled, known: Counter[str]) -> tuple[Labelled, dict[str, str]]:
    """The different pictures to learn from, and SHA-256 by path.

    Args:
        known: pictures of each class that are there already.

    Raises:
        DataError: they cannot be learned from; says why.
    """
    label = labelled.label
    items = list(labelled.items)
    check_names(known + Counter(filter(None, (label(one.path) for one in items))), labelled.name)
    digests: dict[str, str] = {}
    first: dict[str, str] = {}
    again = 0
    kept: list[Item] = []
    for item in items:
        try:
            content = item.read()
        except ImageError:
            kept.append(item)  # its row will say what is wrong
            continue
        data = content if isinstance(content, bytes) else content.grey.tobytes()
        digest = hashlib.sha256(data).hexdigest()
        other = first.setdefault(digest, item.path)
        if label(other) != label(item.path):
            raise DataError(
                f"{other} and {item.path} of {labelled.name} are the same picture in two classes;"
                " leave one of them"
            )
        if other != item.path:
            again += 1
            continue
        kept.append(item)
        digests[item.path] = digest
    if again:
        words = f"pictures that are there twice: {again:,}"
        labelled = labelled._replace(left_out=(*labelled.left_out, words))
        check_names(known + Counter(filter(None, map(label, digests))), labelled.name)
    return labelled._replace(items=kept), digests


def _both(session: Session, pixels: Pixels) -> Outputs:
    """Probabilities, and the embedding of both the pictures and their mirror images."""
    mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
    said, other = (session.outputs(one, embedding=True) for one in (pixels, mirrored))
    assert said.embedding is not None  # noqa: S101  (`route_of` has checked)
    assert other.embedding is not None  # noqa: S101
    return said._replace(embedding=np.stack([said.embedding, other.embedding], axis=1))


def see(
    labelled: Labelled,
    digests: dict[str, str],
    session: Session,
    advance: Callable[[int], object] = lambda _count: None,
    engine: str | None = None,
) -> tuple[Examples, LabelledPictures]:
    """Features of pictures, by the workers of `classify`; and the pictures without pixels.

    Args:
        digests: SHA-256 of each path.
        session: a model that gives embeddings.
        engine: for workers; threads for a model that is in no file.

    Raises:
        DataError: none can be read.
        UsageError: the model has no embeddings.
    """
    route = route_of(session, None, embeddings=True)._replace(infer=partial(_both, session))
    rows: list[Prediction | Rejected] = []
    chunks = ordered_map(
        Classifier(route),
        labelled.items,
        workers=available_cores(),
        engine=engine or default_engine(),
    )
    with libraries_quiet(), closing(chunks):
        for chunk in chunks:
            rows += chunk
            advance(len(chunk))
    found = LabelledPictures.of(labelled, session.spec, "auto", rows)
    known = set(found.paths)
    said = [row.embedding or b"" for row in rows if row.path in known]  # type: ignore[union-attr]
    return Examples(
        embeddings=np.frombuffer(b"".join(said), np.float32).reshape(len(said), 2, -1),
        labels=np.array([found.folders[at] for at in found.members]),
        paths=np.array(found.paths),
        digests=np.array([digests.get(path, "") for path in found.paths]),
    ), found
