"""Patterns of paths: `*`, `?`, `[…]`, `{…,…}` and `**`, always case-sensitive.

As users of rsync and gitignore know them: a pattern without a slash means a name at any
depth, one with a slash the path from the source's root on, one that ends in a slash a folder
with all that is in it. As an input a pattern stands for what a shell would make of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from fmnist_cli.errors import FmnistError, UsageError
from fmnist_cli.sources.folder import FolderSource
from fmnist_cli.sources.items import Item, Selection, Skipped, Source, UnreadableItem, everything

Predicate = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whether a path is included and not excluded; with None for no such pattern."""

    include: re.Pattern[str] | None
    exclude: re.Pattern[str] | None

    def __call__(self, path: str) -> bool:
        if self.exclude is not None and self.exclude.fullmatch(path):
            return False
        return self.include is None or self.include.fullmatch(path) is not None


def make_wants(include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Predicate:
    """The answer to whether a picture is to be taken, given its path relative to its source.

    A path is wanted when one of `include` matches it, or there is none, and none of `exclude`
    matches it or a folder that it lies in.

    Raises:
        UsageError: a pattern is empty.
    """
    if not include and not exclude:
        return everything
    included = [path for pattern in include for path in _of_files(pattern)]
    excluded = [
        path for pattern in exclude for path in (*_of_files(pattern), f"{_anchored(pattern)}/**")
    ]
    return _Wanted(compiled(included) if include else None, compiled(excluded) if exclude else None)


def make_enters(exclude: Sequence[str] = ()) -> Predicate:
    """The answer to whether a folder may hold anything that `exclude` leaves.

    Raises:
        UsageError: a pattern is empty.
    """
    if not exclude:
        return everything
    folders = [_anchored(pattern) for pattern in exclude]
    return _Wanted(None, compiled(folders))


def compiled(patterns: Iterable[str]) -> re.Pattern[str]:
    """One expression for whole paths that match any of the patterns."""
    from wcmatch import glob

    flags = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.CASE | glob.FORCEUNIX
    expressions = [
        expression
        for pattern in patterns
        for expression in glob.translate(pattern, flags=flags, limit=0)[0]
    ]
    return re.compile("|".join(f"(?:{expression})" for expression in expressions))


def _anchored(pattern: str) -> str:
    """The pattern for whole paths, without the slash that says it means folders."""
    bare = pattern.strip("/")
    if not bare:
        raise UsageError(f"the pattern {pattern!r} is empty; leave it away or name files, '*.png'")
    return bare if "/" in pattern.rstrip("/") else f"**/{bare}"


def _of_files(pattern: str) -> list[str]:
    path = _anchored(pattern)
    return [f"{path}/**"] if pattern.endswith("/") else [path]


_MOST = 100_000  # paths out of one pair of braces
_MAGIC = re.compile(r"[*?\[]")

Opener = Callable[[Path, str, Selection], Source]  # path, prefix and selection of an archive


def expand_braces(text: str) -> list[str]:
    """What a shell makes of braces: `{a,b}` and `{000..123}`, existing or not."""
    if "{" not in text:
        return [text]
    import bracex

    try:
        return list(bracex.expand(text, keep_escapes=True, limit=_MOST))
    except bracex.ExpansionLimitException:
        raise UsageError(f"{text!r} stands for more than {_MOST:,} paths") from None


class GlobSource:
    """What a shell would expand a pattern to, in sorted order, without holding the list.

    Matching files are taken as in a folder, by suffix or content; matching folders with all
    that is in them; matching archives are opened. `**` stands for any number of folders.
    Paths begin as the pattern does.

    Args:
        pattern: as typed.
        selection: what to take of it; asked with paths below the pattern's fixed part.
        open_archive: opens the archives.

    Raises:
        UsageError: nothing matches.
    """

    def __init__(self, pattern: str, selection: Selection, open_archive: Opener) -> None:
        parts = pattern.split("/")
        fixed = next(index for index, part in enumerate(parts) if _MAGIC.search(part))
        root = "/".join(parts[:fixed]) + "/" * (fixed > 0)
        self._parts = [compiled([part]) for part in parts[fixed:]]
        self._deep = next((i for i, part in enumerate(parts[fixed:]) if part == "**"), None)
        self._whole = compiled(["/".join(parts[fixed:])])
        self._selection = selection
        self._opener = open_archive
        self._covered = lru_cache(maxsize=256)(self._is_covered)
        self._root = path = Path(root)
        self._prefix = "" if path == Path() else f"{path.as_posix().rstrip('/')}/"
        chosen = Selection(True, self._wants, self._enters, selection.max_bytes)
        self._folder = FolderSource(path, self._prefix, chosen, self._open)
        self._inside = Skipped()
        if not path.is_dir() or next(iter(self._folder), None) is None:
            raise UsageError(
                f"no picture, folder of pictures or archive matches the pattern {pattern!r}"
            )

    @property
    def skipped(self) -> Skipped:
        """Matching files that are no pictures, and such members of archives."""
        return Skipped.of([self._folder.skipped, self._inside])

    def __iter__(self) -> Iterator[Item]:
        self._inside = Skipped()
        yield from self._folder

    def matches(self, path: Path) -> bool:
        """Whether the path of a file, behind links, is one that the pattern stands for."""
        try:
            below = path.relative_to(self._root.resolve())
        except ValueError:
            return False
        return self._whole.fullmatch(below.as_posix()) is not None

    def _is_covered(self, folder: str) -> bool:
        """Whether a folder or one above it matches; then all that is in it belongs to it."""
        while folder:
            if self._whole.fullmatch(folder):
                return True
            folder = folder.rpartition("/")[0]
        return False

    def _wants(self, path: str) -> bool:
        if not self._selection.wants(path):
            return False
        return self._whole.fullmatch(path) is not None or self._covered(path.rpartition("/")[0])

    def _enters(self, folder: str) -> bool:
        if not self._selection.enters(folder):
            return False
        if self._covered(folder.rpartition("/")[0]):
            return self._selection.recursive
        if self._whole.fullmatch(folder):
            return True
        parts = folder.split("/")
        fixed = self._parts[: self._deep]
        if self._deep is None and len(parts) >= len(fixed):
            return False
        return all(want.fullmatch(part) for want, part in zip(fixed, parts, strict=False))

    def _open(self, path: str, location: str) -> Iterator[Item] | None:
        """The items of an archive that matches itself; None for one in a matching folder."""
        if self._whole.fullmatch(path.removeprefix(self._prefix)) is None:
            return None
        return self._members(path, location)

    def _members(self, path: str, location: str) -> Iterator[Item]:
        try:
            source = self._opener(Path(location), f"{path}/", self._selection)
            yield from source
        except FmnistError as error:  # one of many: the others are not lost with it
            yield UnreadableItem(path, str(error))
        else:
            self._inside = Skipped.of([self._inside, source.skipped])
