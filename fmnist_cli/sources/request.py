"""What a run reads, as plain values: they go into the record of a run and can be compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fmnist_cli.errors import UsageError
from fmnist_cli.sources import open_sources
from fmnist_cli.sources.base import MAX_BYTES, Selection, Source, everything


class Inputs(NamedTuple):
    """The inputs of a run, as named on the command line.

    Attributes:
        names: folders, files, patterns, archives; ``-`` for paths on standard input.
        from_file: text file of paths; ``-`` for standard input.
        null: whether paths in lists end in NUL.
        recursive: whether folders within folders are read.
        include, exclude: patterns of paths.
        limit: at most this many pictures.
        shard: (I, N), the I-th of N parts.
        image_column: column of pictures in Parquet files.
        max_bytes: larger files are rejected.
    """

    names: tuple[str, ...]
    from_file: str | None = None
    null: bool = False
    recursive: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    shard: tuple[int, int] | None = None
    image_column: str | None = None
    max_bytes: int = MAX_BYTES

    def open(self) -> Source:
        """The source of all items.

        Raises:
            UsageError: nothing is named, or an input does not exist.
            DataError: an archive is damaged.
        """
        if not self.names and self.from_file is None:
            raise UsageError(
                "nothing to classify: name a folder, a file, an archive, or --from-file LIST"
            )
        wants: Callable[[str], bool] = everything
        enters: Callable[[str], bool] = everything
        if self.include or self.exclude:
            from fmnist_cli.sources.patterns import make_enters, make_wants

            wants = make_wants(self.include, self.exclude)
            enters = make_enters(self.exclude)
        selection = Selection(
            recursive=self.recursive,
            wants=wants,
            enters=enters,
            max_bytes=self.max_bytes,
            image_column=self.image_column,
        )
        return open_sources(
            self.names,
            selection,
            listing=self.from_file,
            null=self.null,
            limit=self.limit,
            shard=self.shard,
        )

    @property
    def folders(self) -> list[Path]:
        """The folders that are read: those among the inputs, and where patterns start."""
        roots = (re.split(r"[^/]*[*?\[{]", name)[0] or "." for name in self.names)
        return [path for path in map(Path, roots) if path.is_dir()]

    @property
    def files(self) -> list[Path]:
        """The files that are read, of pictures and of paths."""
        named = map(Path, (*self.names, *([self.from_file] if self.from_file else [])))
        return [path for path in named if path.is_file()]

    @property
    def repeatable(self) -> bool:
        """Whether the inputs can be gone through a second time; a stream cannot."""
        named = (*self.names, *([self.from_file] if self.from_file else []))
        paths = [Path(name) for name in named if name != "-"]
        return len(paths) == len(named) and all(
            path.is_file() or path.is_dir() or not path.exists() for path in paths
        )

    def many(self) -> bool:
        """Whether more pictures than inputs are to be expected."""
        return self.limit is None and not all(Path(name).is_file() for name in self.names)

    def first_archive(self) -> str | None:
        """The first input that is a file of many pictures, if one is."""
        from fmnist_cli.sources.containers import CONTAINERS, kind_of_container

        files = (name for name in self.names if Path(name).is_file())
        return next(
            (name for name in files if kind_of_container(Path(name))[0] in CONTAINERS), None
        )

    def __str__(self) -> str:
        """The inputs as typed."""
        listed = [] if self.from_file is None else [f"--from-file {self.from_file}"]
        return ", ".join([*self.names, *listed])
