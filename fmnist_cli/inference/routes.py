"""From a model's name to routes: which model is asked what, and which pictures it gets."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fmnist_cli.contract import EMBEDDING_NAME, InputSpec, ModelCard, Pixels
from fmnist_cli.errors import UsageError
from fmnist_cli.inference.classifier import Route, Settings
from fmnist_cli.inference.guard import Guard, OwnLimit, open_guard
from fmnist_cli.inference.session import LazySession, Outputs, Session
from fmnist_cli.inference.store import find_model, manifests, open_model
from fmnist_cli.preprocess import check_mode, is_frame

AUTO = "auto"  # the name that stands for these two
FRAMES, PHOTOS = "resnet", "photo"


class Models(NamedTuple):
    """The models of a run.

    Attributes:
        routes: what a `Classifier` needs of them.
        card: of the model; of several one that speaks for them all: their titles and all classes.
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
    quiet: bool = False,
) -> Models:
    """The model of this name or file; by the name ``auto`` one for frames and one for all else.

    Args:
        model: name, path, or ``"auto"``, whose files are read when their first picture is there.
        settings: how pictures become rows.
        models_dir: folder of models.
        provider: what runs them.
        quiet: whether nothing is said of where they were found.

    Raises:
        UsageError: there are no such models, or they cannot do what is asked.
        ModelError: a file is damaged.
    """
    if model == AUTO:
        return _both(settings, models_dir, provider, quiet)
    file = open_model(model, models_dir, quiet=quiet)
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
            f"--embeddings: {session.card.title} has none; give a model that has, such as"
            f" --model {PHOTOS}"
        )

    def infer(pixels: Pixels) -> Outputs:
        own = isinstance(guard, OwnLimit)
        outputs = session.outputs(pixels, novelty=own, embedding=embeddings)
        if isinstance(guard, Guard):
            return outputs._replace(novelty=guard.novelty(pixels))
        return outputs

    limit = None if guard is None else guard.limit
    return Route(infer, session.spec, session.card.class_names, limit)


def _both(settings: Settings, models_dir: Path | None, provider: str, quiet: bool) -> Models:
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
    found = [find_model(name, models_dir, quiet=quiet) for name in (FRAMES, PHOTOS)]
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
    title = f"{cards[0].title} for frames, {cards[1].title} for all else"
    card = cards[0]._replace(title=title, class_names=tuple(names), test_accuracy=None)
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
