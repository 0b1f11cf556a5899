"""Model files: found by name, and refused when they are not what their manifest says."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.errors import ModelError, UsageError
from fmnist_cli.manifest import MANIFEST_FILE, Entry, Manifest

ENV_VAR = "FMNIST_MODELS_DIR"
_PACKAGE = Path(__file__).resolve().parent.parent


def shipped_dir() -> Path:
    """The models that came with the package: inside a wheel, or beside a source checkout."""
    inside = _PACKAGE / "exported"
    return inside if inside.is_dir() else _PACKAGE.parent / "exported"


def find_models_dir(models_dir: Path | None = None) -> Path:
    """One's own folder of exported models, or the shipped one.

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

    @property
    def shipped(self) -> bool:
        """Whether it came with the package; its checksum was compared then, so it is in order."""
        return self.entry is not None and self.path.parent.resolve() == shipped_dir().resolve()

    @property
    def address(self) -> tuple[str, Path, Entry | None, str]:
        """What `reopen` needs, without the content."""
        return self.name, self.path.absolute(), self.entry, self.sha256


_MOST_BYTES = 1 << 31  # of a protobuf message, and so of an ONNX file


def _read(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe may never end
            raise ModelError(f"cannot read the model {path}: it is no ordinary file")
        if (size := path.stat().st_size) >= _MOST_BYTES:
            raise ModelError(f"{path} has {size:,} bytes; ONNX files have less than 2 GiB")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error


class Found(NamedTuple):
    """A model of a manifest, whose file is not read yet.

    Attributes:
        name: registry name.
        folder: of the manifest.
        entry: what the manifest says of it.
    """

    name: str
    folder: Path
    entry: Entry

    @property
    def path(self) -> Path:
        """Of its file."""
        return self.folder / self.entry.file

    def open(self) -> ModelFile:
        """Read the file.

        Raises:
            ModelError: it is missing or its SHA-256 is not the manifest's.
        """
        file = ModelFile.of(self.name, self.path, _read(self.path), self.entry)
        cure = f"restore it, or run: fmnist export {self.name}"
        return _checked(file, self.entry.sha256, cure)


def reopen(name: str, path: Path, entry: Entry | None, sha256: str) -> ModelFile:
    """A file that was open before, in another process; what was checked is what is run.

    Raises:
        ModelError: it is gone, or another by now.
    """
    return _checked(ModelFile.of(name, path, _read(path), entry), sha256, "run the command again")


def manifests(models_dir: Path | None = None) -> list[tuple[Path, Manifest]]:
    """The folders that models are looked for in, the foremost first, and what is in them.

    One's own is what `find_models_dir` finds; the shipped models are always there, too.

    Raises:
        ModelError: a manifest is damaged, or a folder that was named has none.
    """
    own, shipped = find_models_dir(models_dir), shipped_dir()
    found = [(own, Manifest.read(own))]
    if own.resolve() != shipped.resolve() and (shipped / MANIFEST_FILE).is_file():
        found.append((shipped, Manifest.read(shipped)))
    return found


def find_model(name: str, models_dir: Path | None = None) -> Found:
    """A model by name; its file is not read.

    Where one's own folder and the shipped one have models of this name, one's own is taken.

    Raises:
        UsageError: no model has that name.
        ModelError: as `manifests`.
    """
    known = manifests(models_dir)
    for folder, manifest in known:
        if entry := manifest.models.get(name):
            return Found(name, folder, entry)
    has = "; ".join(f"{at} has: {', '.join(of.models) or 'none'}" for at, of in known)
    raise UsageError(
        f"there is no model called {name!r}; {has}. Give one of these or the path of an .onnx file"
    )


def open_model(model: str, models_dir: Path | None = None) -> ModelFile:
    """A model by name, checked against its manifest, or any ``.onnx`` file by path.

    A name that is in no manifest may be a path without its suffix: ``mine`` is ``mine.onnx``.

    Raises:
        UsageError, ModelError: as `find_model`; the file is missing or its SHA-256 is not the
            manifest's.
    """
    path = Path(model if model.endswith(".onnx") else f"{model}.onnx")
    if path.name == Path(model).name or (
        path.is_file() and not any(model in of.models for _, of in manifests(models_dir))
    ):
        return ModelFile.of(path.stem, path, _read(path))
    return find_model(model, models_dir).open()


def _checked(file: ModelFile, sha256: str, cure: str) -> ModelFile:
    if file.sha256 != sha256:
        raise ModelError(
            f"{file.path} is not the file that {file.path.parent / MANIFEST_FILE} describes"
            f" (SHA-256 differs); {cure}"
        )
    return file


def open_part(name: str, models_dir: Path | None = None) -> ModelFile:
    """A graph that serves all models, such as ``guard``, looked for and checked as they are.

    Raises:
        UsageError: there is no such part.
        ModelError: as `open_model`.
    """
    known = manifests(models_dir)
    for folder, manifest in known:
        if part := manifest.parts.get(name):
            path = folder / part.file
            file = ModelFile.of(name, path, _read(path))
            return _checked(file, part.sha256, "restore it")
    raise UsageError(
        f"there is no {name!r} in {' or '.join(str(folder) for folder, _ in known)}; take the"
        f" models that are shipped with fmnist, or make one: fmnist train-{name}"
    )


# Where tensors are in an ONNX file: kind of message → number of a field → kind of what it holds.
_TENSORS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL = (13, 14)  # fields of a tensor that say where else its values are


def refers_to_files(content: bytes) -> bool:
    """Whether an ONNX file wants values of its tensors read from other files.

    ONNX Runtime would read them, from the current folder or from anywhere, as its version is.

    Raises:
        ValueError, IndexError, RecursionError: it is damaged.
    """
    # The key that names the file; looking for it takes no time, and hardly any model has it.
    return b"location" in content and _is_external(memoryview(content), "model")


def _is_external(message: memoryview, kind: str) -> bool:
    position, holds = 0, _TENSORS[kind]
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if kind == "tensor" and number in _EXTERNAL:
            return True
        if wire == 0:
            _, position = _varint(message, position)
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        elif wire == 2:
            size, start = _varint(message, position)
            position = start + size
            if number in holds and _is_external(message[start:position], holds[number]):
                return True
        else:
            raise ValueError("it is no protobuf message")
    return False


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number, and where the next field begins."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("it is no protobuf message")
