"""A folder for the parts of a run: on this machine's disk, or anywhere that fsspec reaches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

from fmnist_cli.errors import DataError, FmnistError, RemoteError, UsageError
from fmnist_cli.files import writing
from fmnist_cli.remote import is_http, is_url, opened, public, tried

# Stores of objects, in which a name appears with all of its content, and which have no folders.
_OBJECTS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "tos"}


class Store(Protocol):
    """A folder of files that are whole or not there; it can be sent to other machines."""

    def make(self) -> None:
        """Make the folder if it is not there."""

    def names(self) -> list[str]:
        """What is in it."""

    def reading(self, name: str) -> Any:
        """A context: where a file can be read.

        Raises:
            DataError: the file is not there, as the block finds it if not before.
        """

    def writing(self, name: str) -> Any:
        """A context: where to write a file; it is in the folder when the block ends well."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def holds(self, target: str) -> bool:
        """Whether a file of this name or URL would lie in it."""


class LocalStore(NamedTuple):
    """A folder on the disk."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def make(self) -> None:
        """As of `Store`."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """As of `Store`."""
        return os.listdir(self.path) if self.path.is_dir() else []  # noqa: PTH208

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """As of `Store`."""
        yield self.path / name

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """As of `Store`; who writes makes the file in one step."""
        yield self.path / name

    def remove(self, name: str) -> None:
        """As of `Store`."""
        (self.path / name).unlink(missing_ok=True)

    def holds(self, target: str) -> bool:
        """As of `Store`."""
        return not is_url(target) and Path(target).resolve().parent == self.path.resolve()


class RemoteStore(NamedTuple):
    """A folder elsewhere; files are made and read in a temporary folder here.

    Attributes:
        url: of the folder, ending in a slash.
    """

    url: str

    def __str__(self) -> str:
        return public(self.url)

    def make(self) -> None:
        """As of `Store`; there is no bucket made."""
        system, path = opened(self.url)
        if not _of_objects(self.url):
            tried(lambda: system.makedirs(path, exist_ok=True), "make", self.url)

    def names(self) -> list[str]:
        """As of `Store`."""
        system, path = opened(self.url)

        def ask() -> list[str]:
            system.invalidate_cache()
            with suppress(FileNotFoundError):
                return [name.rstrip("/").rpartition("/")[2] for name in system.ls(path, False)]
            return []

        return tried(ask, "list", self.url)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """As of `Store`."""
        system, path = opened(self.url)
        with TemporaryDirectory(prefix="fmnist-part-") as folder:
            copy = Path(folder, name)
            try:
                tried(lambda: system.get_file(f"{path}/{name}", str(copy)), "read", self.url + name)
            except RemoteError as error:
                if error.missing:
                    raise DataError(str(error)) from error
                raise
            with self._named(folder):
                yield copy

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """As of `Store`."""
        system, path = opened(self.url)
        target, partial = f"{path}/{name}", f"{path}/.{name}.{uuid4().hex}.partial"

        def put() -> None:
            if _of_objects(self.url):
                system.put_file(str(copy), target)
                return
            system.put_file(str(copy), partial)
            with suppress(FileNotFoundError):
                system.rm_file(target)  # not all replace what is there
            system.mv(partial, target)

        with TemporaryDirectory(prefix="fmnist-part-") as folder:
            copy = Path(folder, name)
            with self._named(folder):
                yield copy
            tried(put, "write", self.url + name)

    def remove(self, name: str) -> None:
        """As of `Store`."""
        system, path = opened(self.url)
        with suppress(FileNotFoundError):
            tried(lambda: system.rm_file(f"{path}/{name}"), "remove", self.url + name)

    def holds(self, target: str) -> bool:
        """As of `Store`."""
        return target.rpartition("/")[0] == self.url.rstrip("/")

    @contextmanager
    def _named(self, folder: str) -> Iterator[None]:
        """Errors name the file by where it is, not by where its copy is."""
        try:
            yield
        except FmnistError as error:
            text = str(error).replace(folder + os.sep, public(self.url))
            if text == str(error):
                raise
            raise type(error)(text) from error


def _of_objects(url: str) -> bool:
    return url.partition("://")[0].rpartition("::")[2] in _OBJECTS


def open_store(folder: str | Path) -> Store:
    """The folder of this name or URL.

    Raises:
        UsageError: nothing can be written there.
    """
    if not isinstance(folder, str) or not is_url(folder):
        return LocalStore(Path(folder))
    if is_http(folder):
        raise UsageError(f"nothing can be written to {public(folder)}; name a folder, or s3://…")
    return RemoteStore(folder.rstrip("/") + "/")
