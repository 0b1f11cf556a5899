"""Items → rows: read, decode, preprocess, infer; and which model gets which pictures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fmnist_cli.contract import (
    EMBEDDING_NAME,
    UNKNOWN,
    Candidate,
    InputSpec,
    ModelCard,
    Picture,
    Pixels,
    Prediction,
    Rejected,
    Row,
)
from fmnist_cli.decode import MAX_PIXELS, MEMORY
from fmnist_cli.decode.picture import BLANK, blank_among
from fmnist_cli.errors import ImageError, UsageError
from fmnist_cli.inference.models import find_model, manifests, open_model
from fmnist_cli.inference.ood import Guard, OwnLimit, open_guard
from fmnist_cli.inference.session import LazySession, Outputs, Session, batch_of
from fmnist_cli.preprocess import PREPARATIONS, check_mode, is_frame
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.sources.items import MAX_BYTES, Item

# Batches are filled up to a multiple of this: kernels have code of its own for a last single
# row, which rounds its own way, and a row must not depend on what else is in its batch.
ALIGNMENT = 2
BATCH = 64  # pictures per inference call, at most; for no model do more gain anything


def aligned(count: int) -> int:
    """`count`, filled up to a multiple of `ALIGNMENT`."""
    return -(-count // ALIGNMENT) * ALIGNMENT


class Route(NamedTuple):
    """A model, and what is asked of it.

    Attributes:
        infer: uint8 [N, *spec.shape] → what the model says, as far as it is needed.
        spec: what the model wants.
        class_names: label of each column of the probabilities.
        limit: preparation → the novelty above which what it made is unknown; None if nothing is.
        takes: which pictures are for this model; None for all.
        name: of the model, in rows that say which it was; None in rows that do not.
    """

    infer: Callable[[Pixels], Outputs]
    spec: InputSpec
    class_names: Sequence[str]
    limit: Callable[[str], float] | None = None
    takes: Callable[[Picture], bool] | None = None
    name: str | None = None


class Settings(NamedTuple):
    """How pictures become rows.

    Attributes:
        mode: one of `fmnist_cli.preprocess.MODES`.
        top_k: candidates per row, at least 1.
        threshold: below this probability, 0 to 1, the label is `UNKNOWN`.
        unknown_at: `UNKNOWN` is also what is stranger than this share of known garments;
            None asks nobody.
        embeddings: whether rows have the model's embedding.
        max_pixels: pictures with more pixels are rejected.
        max_bytes: files with more bytes are rejected.
        memory: bytes that a picture may take.
    """

    mode: str = "auto"
    top_k: int = 3
    threshold: float = 0.0
    unknown_at: float | None = None
    embeddings: bool = False
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    memory: int = MEMORY


class KnownItem(NamedTuple):
    """An item whose row is there already; it is passed through.

    Attributes:
        item: the item.
        row: its row.
        fingerprint: of the item when that row was made; see `fmnist_cli.journal.fingerprint`.
    """

    item: Item
    row: Row
    fingerprint: bytes = b""
    held: int = 0

    @property
    def path(self) -> str:
        """Name of the item."""
        return self.item.path

    @property
    def location(self) -> str | None:
        """File of the item."""
        return self.item.location

    def read(self, max_bytes: int = MAX_BYTES) -> bytes | Picture:
        """Content of the item."""
        return self.item.read(max_bytes)

    def head(self) -> bytes:
        """First bytes of the item."""
        return self.item.head()

    def signature(self) -> str:
        """Signature of the item."""
        return self.item.signature()


_new: Any = tuple.__new__


class Classifier:
    """Callable: items → one row each, in order: a `fmnist_cli.engines.Worker`.

    Usable from several threads.

    Args:
        routes: the models; the first that takes a picture gets it.
        settings: how pictures become rows.
        batch_size: pictures per inference call; by the size of the input if None.
        save: takes the path of each item that could be read, and what the model sees of it.
    """

    def __init__(
        self,
        *routes: Route,
        settings: Settings = Settings(),  # noqa: B008  (a tuple)
        batch_size: int | None = None,
        save: Callable[[str, Pixels], object] | None = None,
    ) -> None:
        self._routes = routes
        self._settings = settings
        self._batch_size = batch_size
        self._sizes = [aligned(batch_size or batch_of(route.spec, BATCH)) for route in routes]
        self._framing = Framing(
            *(route.spec for route in routes),
            mode=settings.mode,
            max_pixels=settings.max_pixels,
            max_bytes=settings.max_bytes,
            memory=settings.memory,
        )
        self._save = save
        self._kept = threading.local()  # one buffer per thread and route, kept between calls

    def __reduce__(self) -> tuple[Any, ...]:
        """Built again in another process."""
        made = partial(
            Classifier, settings=self._settings, batch_size=self._batch_size, save=self._save
        )
        return made, self._routes

    def warm(self) -> None:
        """Let the model allocate what it needs, before there is anything to classify.

        Of several models some may have nothing to do; they are loaded when they have.
        """
        if len(self._routes) == 1:
            route = self._routes[0]
            route.infer(np.zeros((ALIGNMENT, *route.spec.shape), np.uint8))

    def lost(self, item: Item, reason: str) -> list[Row]:
        """The row of an item that could not be worked on to the end."""
        return [Rejected(item.path, reason)]

    def __call__(self, items: Sequence[Item]) -> list[Row]:
        """One row per item, in order."""
        framing, save, routes = self._framing, self._save, self._routes
        number, spec, look = 0, routes[0].spec, save is not None
        rows: list[Row | None] = [None] * len(items)
        buffers = self._buffers()
        # For each model what waits for its next batch: position among the items, preparation.
        waiting: list[list[tuple[int, str]]] = [[] for _ in routes]
        for position, item in enumerate(items):
            if type(item) is KnownItem:
                rows[position] = item.row
                continue
            try:
                picture = framing.read(item)
                if len(routes) > 1:
                    number = self._route_of(picture)
                    spec = routes[number].spec
                pixels, prepared = framing.pixels(picture, spec, None, look)
            except ImageError as error:
                rows[position] = Rejected(item.path, str(error))
                continue
            group, buffer = waiting[number], buffers[number]
            buffer[len(group)] = pixels
            if save is not None:
                save(item.path, pixels)
            group.append((position, prepared))
            if len(group) == len(buffer):
                self._label(routes[number], buffer, group, items, rows)
                group.clear()
        for route, buffer, group in zip(routes, buffers, waiting, strict=True):
            if group:
                self._label(route, buffer, group, items, rows)
        return [row for row in rows if row is not None]

    def _route_of(self, picture: Picture) -> int:
        taken = (route.takes is None or route.takes(picture) for route in self._routes)
        return list(taken).index(True)

    def _buffers(self) -> list[Pixels]:
        """For each model uint8 [pictures of a batch, *spec.shape], a multiple of `ALIGNMENT`."""
        buffers: list[Pixels] | None = getattr(self._kept, "buffers", None)
        if buffers is None:
            sizes = zip(self._routes, self._sizes, strict=True)
            buffers = [np.zeros((size, *route.spec.shape), np.uint8) for route, size in sizes]
            self._kept.buffers = buffers
        return buffers

    def _label(
        self,
        route: Route,
        buffer: Pixels,
        group: Sequence[tuple[int, str]],
        items: Sequence[Item],
        rows: list[Row | None],
    ) -> None:
        """Make the rows of the first pictures in `buffer`, those that `group` says."""
        count = len(group)
        buffer[count : aligned(count)] = 0
        said = route.infer(buffer[: aligned(count)])
        names, threshold, model = route.class_names, self._settings.threshold, route.name
        ids, values = self._ranked(said)
        strange = _strangers(route, said, group)
        features: Iterable[bytes | None]
        features = repeat(None) if said.embedding is None else map(bytes, said.embedding)
        # What is said of the filling comes last, and has no picture in the group.
        judged = zip(group, ids, values, strange, features)  # noqa: B905
        for (position, prepared), best, most, unknown, feature in judged:
            path, class_id, confidence = items[position].path, best[0], most[0]
            # Not Candidate(…) and Prediction(…): calling a named tuple's class costs
            # more than the rest of these lines, for every picture.
            top = tuple([_new(Candidate, (names[i], p)) for i, p in zip(best, most)])  # noqa: B905
            unsure = unknown or confidence < threshold
            label = (None, UNKNOWN) if unsure else (class_id, names[class_id])
            values_ = (path, *label, confidence, top, prepared, model, feature)
            rows[position] = _new(Prediction, values_)
        if PREPARATIONS[group[0][1]].within is None:
            for index in blank_among(buffer[:count]):
                position = group[index][0]
                rows[position] = Rejected(items[position].path, BLANK)

    def _ranked(self, said: Outputs) -> tuple[list[list[int]], list[list[float]]]:
        """For each picture the best classes and their probabilities."""
        probabilities = said.probabilities
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, : self._settings.top_k]
        rows = np.arange(len(probabilities))[:, None]
        best = probabilities[rows, order].astype(np.float64).round(6)
        return order.tolist(), best.tolist()


def _strangers(route: Route, said: Outputs, group: Sequence[tuple[int, str]]) -> Sequence[bool]:
    """Whether each picture is strange; `group` says what prepared them."""
    limit = route.limit
    if limit is None or said.novelty is None:
        return [False] * len(group)
    novelty = said.novelty[: len(group)].tolist()
    return [value > limit(name) for value, (_, name) in zip(novelty, group, strict=True)]


AUTO = "auto"  # the name that stands for these two
FRAMES, PHOTOS = "resnet", "photo"


class Models(NamedTuple):
    """The models of a run.

    Attributes:
        routes: what a `Classifier` needs of them.
        card: of the model; of several one that speaks for them all: their names and all classes.
        files: where they were found.
        record: what decides their rows, for the record of a run.
    """

    routes: tuple[Route, ...]
    card: ModelCard
    files: tuple[Path, ...]
    record: dict[str, Any]

    @property
    def specs(self) -> dict[str | None, InputSpec]:
        """What each model wants, by the name it has in rows."""
        return {route.name: route.spec for route in self.routes}


def open_models(
    model: str,
    settings: Settings,
    models_dir: Path | None = None,
    *,
    provider: str = "cpu",
) -> Models:
    """The model of this name or file; by the name ``auto`` one for frames and one for all else.

    Args:
        model: name, path, or ``"auto"``, whose files are read when their first picture is there.
        settings: how pictures become rows.
        models_dir: folder of models.
        provider: what runs them.

    Raises:
        UsageError: there are no such models, or they cannot do what is asked.
        ModelError: a file is damaged.
    """
    if model == AUTO:
        return _both(settings, models_dir, provider)
    file = open_model(model, models_dir)
    session = Session(file, provider=provider)
    check_mode(settings.mode, session.spec)
    guard = open_guard(settings.unknown_at, session.card, models_dir)
    route = route_of(session, guard, embeddings=settings.embeddings)
    record = {"model": file.name, "model file": file.sha256, **_of_guard(guard)}
    return Models((route,), session.card, (file.path,), record)


def route_of(
    session: Session | LazySession, guard: Guard | OwnLimit | None, *, embeddings: bool = False
) -> Route:
    """A model that gets every picture.

    Args:
        session: the model.
        guard: what tells the unknown, if that is asked.
        embeddings: whether they are asked for.

    Raises:
        UsageError: the model has none.
    """
    if embeddings and not (isinstance(session, Session) and EMBEDDING_NAME in session.gives):
        raise UsageError(
            f"--embeddings: {session.card.name} has none; give a model that has, such as"
            f" --model {PHOTOS}"
        )

    limit = None if guard is None else guard.limit
    infer = _Infer(session, guard, embeddings)
    return Route(infer, session.spec, session.card.class_names, limit)


class _Infer:
    """Callable: pixels → what a model says of them, and no more than is needed."""

    def __init__(
        self, session: Session | LazySession, guard: Guard | OwnLimit | None, embeddings: bool
    ) -> None:
        self.session = session
        self.guard = guard
        self.embeddings = embeddings

    def __call__(self, pixels: Pixels) -> Outputs:
        own = isinstance(self.guard, OwnLimit)
        outputs = self.session.outputs(pixels, novelty=own, embedding=self.embeddings)
        if isinstance(self.guard, Guard):
            return outputs._replace(novelty=self.guard.novelty(pixels))
        return outputs


def _both(settings: Settings, models_dir: Path | None, provider: str) -> Models:
    if settings.embeddings:
        raise UsageError(f"--embeddings needs one model for all pictures: --model {PHOTOS}")
    known = manifests(models_dir)
    for name in (FRAMES, PHOTOS):
        if not any(name in manifest.models for _, manifest in known):
            raise UsageError(
                f"--model {AUTO}, the default, takes {FRAMES} for images of the data set and"
                f" {PHOTOS} for all else, but there is no {name!r} in"
                f" {' or '.join(str(folder) for folder, _ in known)}."
                f" Name one model for all pictures: --model {FRAMES if name == PHOTOS else PHOTOS}"
            )
    found = [find_model(name, models_dir) for name in (FRAMES, PHOTOS)]
    sessions = [LazySession(one, provider) for one in found]
    for session in sessions:
        check_mode(settings.mode, session.spec)
    guards = [open_guard(settings.unknown_at, one.card, models_dir) for one in sessions]
    routes = [
        route_of(session, guard)._replace(name=one.name)
        for one, session, guard in zip(found, sessions, guards, strict=True)
    ]
    routes[0] = routes[0]._replace(takes=partial(is_frame, spec=sessions[0].spec))
    cards = [session.card for session in sessions]
    names = dict.fromkeys(name for card in cards for name in card.class_names)
    name = f"{cards[0].name} for frames, {cards[1].name} for all else"
    card = cards[0]._replace(name=name, class_names=tuple(names), test_accuracy=None)
    record = {
        "model": AUTO,
        "model file": {one.name: one.entry.sha256 for one in found},
        **_of_guard(*guards),
    }
    return Models(tuple(routes), card, tuple(one.path for one in found), record)


def _of_guard(*guards: Guard | OwnLimit | None) -> dict[str, str | None]:
    """The checksum of the guard, of which there is one for all models."""
    files = [guard.sha256 for guard in guards if isinstance(guard, Guard)]
    return {"guard file": files[0] if files else None}
