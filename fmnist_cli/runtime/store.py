"""Finding model files, and refusing those that are not what their manifest says."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest, Part

ENV_VAR = "FMNIST_MODELS_DIR"
_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_dir() -> Path:
    """The models that came with the package: inside a wheel, or beside a source checkout."""
    inside = _PACKAGE / "exported"
    return inside if inside.is_dir() else _PACKAGE.parent / "exported"


def find_models_dir(models_dir: Path | None = None) -> Path:
    """The folder of exported models in use.

    Searched in this order: `models_dir`, ``FMNIST_MODELS_DIR``, ``./exported`` if it has a
    manifest, the shipped models. The first two are taken as they are.
    """
    if models_dir is not None:
        return models_dir
    if variable := os.environ.get(ENV_VAR):
        return Path(variable)
    local = Path("exported")
    return local if (local / MANIFEST_FILE).is_file() else shipped_dir()


class ModelFile(NamedTuple):
    """An ONNX file, read once so that what was checked is what is run.

    Attributes:
        name: registry name, or the file's name without its suffix.
        path: where it was read from.
        content: the bytes.
        entry: its manifest entry; None for a file given by path.
        sha256: SHA-256 of the content, in hexadecimal.
    """

    name: str
    path: Path
    content: bytes
    entry: Entry | None
    sha256: str

    @classmethod
    def of(cls, name: str, path: Path, content: bytes, entry: Entry | None = None) -> ModelFile:
        """A file of this content."""
        return cls(name, path, content, entry, hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error


def open_model(model: str, models_dir: Path | None = None) -> ModelFile:
    """A model by name, checked against the manifest, or any ``.onnx`` file by path.

    Raises:
        UsageError: no model has that name.
        ModelError: the file is missing or its SHA-256 is not the manifest's.
    """
    if model.endswith(".onnx"):
        path = Path(model)
        return ModelFile.of(path.stem, path, _read(path))
    folder = find_models_dir(models_dir)
    manifest = Manifest.read(folder)
    entry = manifest.models.get(model)
    if entry is None:
        known = ", ".join(manifest.models) or "none"
        raise UsageError(
            f"{folder} has no model called {model!r}; it has: {known}."
            " Give one of these or the path of an .onnx file"
        )
    path = folder / entry.file
    file = ModelFile.of(model, path, _read(path), entry)
    return _checked(file, entry.sha256, f"restore it, or run: fmnist export {model}")


def _checked(file: ModelFile, sha256: str, cure: str) -> ModelFile:
    if file.sha256 != sha256:
        raise ModelError(
            f"{file.path} is not the file that {file.path.parent / MANIFEST_FILE} describes"
            f" (SHA-256 differs); {cure}"
        )
    return file


def find_part(name: str, models_dir: Path | None = None) -> Part | None:
    """What the manifest says of a part, whose file is not read; None when there is none.

    Raises:
        ModelError: the manifest is damaged.
    """
    folder = find_models_dir(models_dir)
    if not (folder / MANIFEST_FILE).is_file():
        return None
    return Manifest.read(folder).parts.get(name)


def open_part(name: str, models_dir: Path | None = None) -> ModelFile:
    """A graph that helps all models, such as ``isolate``, checked against the manifest.

    Raises:
        UsageError: there is no such part.
        ModelError: the file is missing or its SHA-256 is not the manifest's.
    """
    folder = find_models_dir(models_dir)
    part = find_part(name, folder)
    if part is None:
        raise UsageError(
            f"{folder} has no part called {name!r}; take the models that are shipped with fmnist,"
            " or add it to the manifest there"
        )
    path = folder / part.file
    return _checked(ModelFile.of(name, path, _read(path)), part.sha256, "restore it")
