"""A folder for the parts of a run: on this machine's disk, or anywhere that fsspec reaches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

from fmnist_cli.errors import DataError, FmnistError, RemoteError, UsageError
from fmnist_cli.files import writing
from fmnist_cli.remote import is_http, is_url, opened, public, tried

# Stores of objects, in which a name appears with all of its content, and which have no folders.
_OBJECTS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "tos"}


class Store(NamedTuple):
    """A folder of files that are whole or not there; it can be sent to other machines.

    Elsewhere files are made and read in a temporary folder on this machine.

    Attributes:
        folder: path, or URL that ends in a slash.
    """

    folder: str

    def __str__(self) -> str:
        """Path, or URL without what may be secret."""
        return public(self.folder) if self.remote else self.folder

    @property
    def remote(self) -> bool:
        """Whether it is elsewhere."""
        return is_url(self.folder)

    @property
    def _holds_objects(self) -> bool:
        return self.folder.partition("://")[0].rpartition("::")[2] in _OBJECTS

    def make(self) -> None:
        """Make the folder if it is not there; no bucket, whose name may be a mistake.

        Raises:
            FmnistError: that is impossible.
        """
        if not self.remote:
            with writing(Path(self.folder)):
                Path(self.folder).mkdir(parents=True, exist_ok=True)
        elif not self._holds_objects:
            system, path = opened(self.folder)
            tried(lambda: system.makedirs(path, exist_ok=True), "make", self.folder)

    def names(self) -> list[str]:
        """What is in it; nothing if it is not there."""
        if not self.remote:
            return os.listdir(self.folder) if Path(self.folder).is_dir() else []  # noqa: PTH208
        system, path = opened(self.folder)

        def ask() -> list[str]:
            system.invalidate_cache()
            with suppress(FileNotFoundError):
                return [name.rstrip("/").rpartition("/")[2] for name in system.ls(path, False)]
            return []

        return tried(ask, "list", self.folder)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Where a file can be read.

        Raises:
            DataError: a file elsewhere does not exist.
            RemoteError: it cannot be had.
        """
        if not self.remote:
            yield Path(self.folder, name)
            return
        system, path = opened(self.folder)
        with TemporaryDirectory(prefix="fmnist-part-") as here:
            copy, url = Path(here, name), self.folder + name
            try:
                tried(lambda: system.get_file(f"{path}/{name}", str(copy)), "read", url)
            except RemoteError as error:
                if error.missing:
                    raise DataError(str(error)) from error
                raise
            with self._named(here):
                yield copy

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Where to make a file, in one step; elsewhere it is there when the block ends well.

        Raises:
            RemoteError: it cannot be written.
        """
        if not self.remote:
            yield Path(self.folder, name)
            return
        system, path = opened(self.folder)
        target, partial = f"{path}/{name}", f"{path}/.{name}.{uuid4().hex}.partial"

        def put() -> None:
            system.put_file(str(copy), target if self._holds_objects else partial)
            if not self._holds_objects:
                with suppress(FileNotFoundError):
                    system.rm_file(target)  # not all replace what is there
                system.mv(partial, target)

        with TemporaryDirectory(prefix="fmnist-part-") as here:
            copy = Path(here, name)
            with self._named(here):
                yield copy
            tried(put, "write", self.folder + name)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if not self.remote:
            Path(self.folder, name).unlink(missing_ok=True)
            return
        system, path = opened(self.folder)
        try:
            tried(lambda: system.rm_file(f"{path}/{name}"), "remove", self.folder + name)
        except RemoteError as error:
            if not error.missing:
                raise

    def holds(self, target: str) -> bool:
        """Whether a file of this path or URL would lie in it."""
        if self.remote or is_url(target):
            return target.rpartition("/")[0] == self.folder.rstrip("/")
        return Path(target).resolve().parent == Path(self.folder).resolve()

    @contextmanager
    def _named(self, here: str) -> Iterator[None]:
        """Errors name a file by where it is, not by where its copy is."""
        try:
            yield
        except FmnistError as error:
            text = str(error).replace(here + os.sep, public(self.folder))
            if text == str(error):
                raise
            raise type(error)(text) from error


def open_store(folder: str | Path) -> Store:
    """The folder of this path or URL.

    Raises:
        UsageError: nothing can be written there.
    """
    if not is_url(str(folder)):
        return Store(str(folder))
    if is_http(str(folder)):
        raise UsageError(f"nothing can be written to {public(str(folder))}; name s3://… or a path")
    return Store(str(folder).rstrip("/") + "/")
