"""The folder that an album goes into, and the names of its files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from fmnist_cli.errors import UsageError

PAGE = "index.html"


def check_folder(out: Path, *, force: bool) -> None:
    """Refuse a folder whose content would be written over.

    Raises:
        UsageError: it is a file, or a folder that is not empty, without `force`.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder with -o")
    existing = sorted(entry.name for entry in out.iterdir()) if out.is_dir() else []
    if existing and not force:
        raise UsageError(
            f"{out} is not empty (it holds {existing[0]}). Name another folder, or add --force to"
            " write into this one"
        )


def file_names(sources: Sequence[str]) -> list[str]:
    """``0001-coat.png`` and so on: the number of the picture, and what is left of its name."""
    width = max(4, len(str(len(sources))))
    names = []
    for number, source in enumerate(sources, start=1):
        # Of a name only what every file system takes, and no folders.
        stem = re.sub(r"\.\w{1,5}$", "", source.rpartition("/")[2])
        plain = re.sub(r"[^\w-]+", "-", stem, flags=re.ASCII).strip("-")[:60]
        names.append(f"{number:0{width}d}-{plain or 'picture'}.png")
    return names
