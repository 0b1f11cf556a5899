"""Patterns of paths: `*`, `?`, `[…]`, `{…,…}` and `**`, always case-sensitive.

As users of rsync and gitignore know them: a pattern without a slash means a name at any
depth, one with a slash the path from the source's root on, one that ends in a slash a folder
with all that is in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from fmnist_cli.errors import UsageError
from fmnist_cli.sources.base import everything

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
