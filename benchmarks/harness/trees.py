"""Folders with as many pictures as wanted, made of hard links to a few."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PER_FOLDER = 1000


def names(files: int, layout: str) -> Iterator[str]:
    """Relative paths: all in one folder (``flat``), or in folders of `PER_FOLDER` (``nested``)."""
    for index in range(files):
        name = f"{index:08d}.png"
        yield name if layout == "flat" else f"{index // PER_FOLDER:05d}/{name}"


@contextmanager
def tree(work: Path, sources: Sequence[Path], files: int, layout: str) -> Iterator[Path]:
    """A folder of `files` pictures, there while the block runs.

    File systems limit the links to one file, ext4 to 65,000: `sources` are taken in turn.
    """
    root = work / f"tree-{layout}-{files}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        made: set[str] = set()
        for index, name in enumerate(names(files, layout)):
            parent, _, _ = name.rpartition("/")
            if parent not in made:
                (root / parent).mkdir(exist_ok=True)
                made.add(parent)
            # A million times: without the objects of pathlib.
            os.link(sources[index % len(sources)], f"{root}/{name}")
        yield root
    finally:
        shutil.rmtree(root)
