"""`fmnist models` and `fmnist doctor`: what is there to use, and whether it works."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import typer

from fmnist_cli import __version__
from fmnist_cli.cli.options import Json, ModelsDir
from fmnist_cli.cli.output import Level, Results, aligned, say
from fmnist_cli.errors import FmnistError


def models(models_dir: ModelsDir = None, json_: Json = False) -> None:
    """List the models that can be used.

    Each with its accuracy, size, how it was trained and the folder it is in.

    Examples:
        fmnist models
        fmnist models --json
    """
    from fmnist_cli.inference.models import manifests
    from fmnist_cli.models.registry import REGISTRY

    # One's own models first: of two with the same name that is the one in use.
    found = [
        (name, folder, entry)
        for folder, manifest in manifests(models_dir)
        for name, entry in manifest.models.items()
    ]
    results = Results(json_)
    document = {
        name: {"folder": str(folder), **entry._asdict()} for name, folder, entry in reversed(found)
    }
    results.write(dict(reversed(document.items())))
    rows = [("name", "accuracy", "size", "parameters", "trained", "folder")]
    for name, folder, entry in found:
        training, test = entry.training, entry.metrics.get("test")
        rows.append(
            (
                name,
                f"{test['accuracy']:.2%}" if test else "–",
                f"{entry.bytes / 1e6:.2f} MB",
                f"{entry.parameters:,}",
                f"{training['preset']}, seed {training['seed']}, {training['seconds']:,.0f} s",
                str(folder),
            )
        )
    results.show(aligned(rows, "<>>><<"))
    known = {name for name, _, _ in found}
    missing = " ".join(name for name in REGISTRY if name not in known)
    if missing and not json_:
        say(f"not exported yet: {missing}; fmnist train {missing}, then fmnist export")


class Check(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: what it is.
        found: what was found.
        hint: what to do about it; empty when nothing is wrong.
        broken: whether something does not work; else a hint is advice.
    """

    name: str
    found: str
    hint: str = ""
    broken: bool = False


_LIBRARIES = (  # distribution, module
    ("numpy", "numpy"),
    ("onnxruntime", "onnxruntime"),
    ("opencv-python-headless", "cv2"),
    ("pillow", "PIL"),
)
_OPTIONAL = ("torch", "scikit-learn", "pyarrow", "pillow-heif", "plotly")  # brought by extras
_LOW_DISK = 1e9  # bytes


def doctor(models_dir: ModelsDir = None, json_: Json = False) -> None:
    """Check the installation.

    Looks at libraries, models, data set, cores, disk and terminal. Exit code 1: something is
    broken; a hint says what to do.

    Examples:
        fmnist doctor
        fmnist doctor --json > doctor.json
    """
    checks: list[Check] = []
    for look in (_software, lambda: _models(models_dir), _data, _machine, _terminal):
        checks += _safely(look)
    broken = any(check.broken for check in checks)
    results = Results(json_)
    results.write({"ok": not broken, "checks": [check._asdict() for check in checks]})
    width = max(len(check.name) for check in checks)
    for check in checks:
        if check.broken or not Level.quiet:
            word = "broken" if check.broken else "ok"
            hint = f"\n        hint: {check.hint}" if check.hint else ""
            results.show(f"{word:<6}  {check.name:<{width}}  {check.found}{hint}")
    if broken:
        raise typer.Exit(FmnistError.exit_code)


def _safely(look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What `look` finds; an error ends it, and is found, too."""
    try:
        yield from look()
    except (FmnistError, OSError) as error:
        yield Check("error", str(error), "see the message", broken=True)


def _version(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _software() -> Iterator[Check]:
    import platform
    from importlib import import_module

    python = f"{platform.python_version()}, {sys.executable}"
    yield Check("python", python)
    yield Check("fmnist", f"{__version__}, {Path(__file__).parent.parent}")
    usable = set()
    for distribution, module in _LIBRARIES:
        try:
            import_module(module)
        except ImportError as error:
            yield Check(distribution, str(error), f"pip install {distribution}", broken=True)
        else:
            usable.add(module)
            yield Check(distribution, _version(distribution) or "of unknown version")
    for distribution in _OPTIONAL:
        yield Check(distribution, _version(distribution) or "not installed (optional)")
    if "onnxruntime" in usable:
        import onnxruntime

        yield Check("providers", ", ".join(onnxruntime.get_available_providers()))


def _models(models_dir: Path | None) -> Iterator[Check]:
    """Every model file must be the one that its manifest describes, and start."""
    from fmnist_cli.inference.models import Found, manifests, open_part
    from fmnist_cli.inference.session import Session

    parts = set()
    for folder, manifest in manifests(models_dir):
        parts |= set(manifest.parts)
        for name, entry in manifest.models.items():
            try:
                Session(Found(name, folder, entry).open())
            except FmnistError as error:
                yield Check(f"model {name}", str(error), "restore the file", broken=True)
            else:
                yield Check(f"model {name}", f"{folder / entry.file}, SHA-256 as it should be")
    for name in sorted(parts):
        try:
            part = open_part(name, models_dir)
        except FmnistError as error:
            yield Check(f"part {name}", str(error), "restore the file", broken=True)
        else:
            yield Check(f"part {name}", f"{part.path}, SHA-256 as it should be")


def _data() -> Iterator[Check]:
    """The data set need not be there; a place that was named must hold it, and whole files."""
    import os

    from fmnist_cli.data.fashion_mnist import ENV_VAR, FILES, find_data_dir, is_official
    from fmnist_cli.errors import DataError

    try:
        folder = find_data_dir()
    except DataError as error:
        named = bool(os.environ.get(ENV_VAR))
        found = str(error).splitlines()[0] if named else "not there (only training needs it)"
        yield Check("data set", found, "fmnist data download", broken=named)
        return
    paths = [(file, file.locate(folder)) for file in FILES]
    missing = [file.name for file, path in paths if path is None]
    altered = [path.name for file, path in paths if path and not is_official(path, file)]
    found = str(folder.absolute())
    if missing:
        found += f", without {', '.join(missing)}"
    if altered:
        found += f", where {', '.join(altered)} is not the published file"
    yield Check("data set", found, "fmnist data download" if missing or altered else "")


def _machine() -> Iterator[Check]:
    import os
    import shutil
    import tempfile

    from fmnist_cli.data.fashion_mnist import cache_dir
    from fmnist_cli.machine import available_cores

    yield Check("cores", f"{available_cores()} for this process, of {os.cpu_count()}")
    for name, place in (("cache", cache_dir()), ("temporary files", Path(tempfile.gettempdir()))):
        existing = next(one for one in (place, *place.parents) if one.is_dir())
        free = shutil.disk_usage(existing).free
        hint = "make room" if free < _LOW_DISK else ""
        if not os.access(existing, os.W_OK):
            hint = f"let this user write to {existing}"
        yield Check(name, f"{place}, {free / 1e9:,.1f} GB free", hint)


def _terminal() -> Iterator[Check]:
    import locale
    import os
    import shutil

    for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr)):
        yield Check(name, "terminal" if stream.isatty() else "file or pipe")
    width, kind = shutil.get_terminal_size().columns, os.environ.get("TERM", "of unknown kind")
    yield Check("terminal", f"{kind}, {width} columns, {locale.getencoding()}")
    names = sys.getfilesystemencoding()
    hint = "" if names == "utf-8" else "set PYTHONUTF8=1 to read all file names"
    yield Check("file names", names, hint)
