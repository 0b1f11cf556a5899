"""A sorted tree: every labelled picture under a folder named after its label.

No list of what was placed is kept: what is there already tells it, so a run that was killed
is repeated with `force` and ends in the same tree.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from fmnist_cli.contract import Picture, Prediction, Row, printable
from fmnist_cli.errors import ImageError, UsageError
from fmnist_cli.files import check_folder, writing
from fmnist_cli.sinks.placing import (
    NAME_MAX,
    Folders,
    copy_file,
    label_folder,
    link_file,
    move_file,
    places,
    write_content,
)
from fmnist_cli.sources.items import MAX_BYTES, Item, UnreadableItem
from fmnist_cli.sources.objects import RemoteItem

Mode = Literal["copy", "link", "move"]

_DONE = {"copy": "copied", "link": "linked", "move": "moved"}
_TEMPORARY = ".fmnist.partial"  # in the tree's own folder, where no picture is placed
_EXAMPLES = 20


def _ignore(line: str) -> None:
    del line


def check_links(folder: Path) -> None:
    """Ask before a run whether links can be made where its tree will be.

    Raises:
        UsageError: they cannot; Windows grants this to administrators and developers only.
    """
    from tempfile import TemporaryDirectory

    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    try:
        with TemporaryDirectory(prefix=".fmnist-", dir=there) as made:
            Path(made, "link").symlink_to(made)
    except OSError as error:
        raise UsageError(
            f"no links can be made in {there}: {error.strerror or error}; without --link, copies"
            " are sorted"
        ) from error


class TreeSink:
    """Pictures in ``FOLDER/LABEL/PATH``; rejected ones stay where they are.

    Attributes:
        placed: pictures that are in the tree (in a dry run: would be).
        left: rejected rows, whose files were not touched.
        failed: pictures that could not be placed.
        problems: path and reason of the first of them.
    """

    wants_items = True

    def __init__(
        self,
        folder: Path,
        mode: Mode,
        *,
        dry_run: bool = False,
        force: bool = False,
        max_bytes: int = MAX_BYTES,
        report: Callable[[str], object] = _ignore,
    ) -> None:
        """In a dry run nothing is written and `report` gets the plan, line by line.

        Raises:
            UsageError: as `check_folder`.
        """
        self._folder = folder.resolve()
        self._mode: Mode = mode
        self._dry_run = dry_run
        self._max_bytes = max_bytes
        self._report = report
        self._temporary = str(self._folder / _TEMPORARY)
        self._folders = Folders(str(self._folder))
        self._name_max = NAME_MAX
        self.placed = self.left = self.failed = 0
        self.problems: list[tuple[str, str]] = []
        check_folder(self._folder, force=force)

    def __enter__(self) -> TreeSink:
        if not self._dry_run:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            self._name_max = _longest_name(self._folder)
        return self

    def __exit__(self, *_error: object) -> None:
        if not self._dry_run:
            Path(self._temporary).unlink(missing_ok=True)

    def write(self, rows: Sequence[Row], items: Sequence[Item]) -> None:
        """Place the pictures of some rows.

        Raises:
            UsageError: a picture inside an archive is to be linked or moved.
            FmnistError: the tree cannot be written to.
        """
        for row, item in zip(rows, items, strict=True):
            if not isinstance(row, Prediction):
                self.left += 1
                continue
            try:
                self._place(row, item)
            except ImageError as error:
                self.failed += 1
                if len(self.problems) < _EXAMPLES:
                    self.problems.append((row.path, str(error)))
            else:
                self.placed += 1

    def summary(self) -> str:
        """What was done, in a line, and a line for each of the first problems."""
        would = "would be " if self._dry_run else ""
        line = f"{self.placed:,} {would}{_DONE[self._mode]} into {printable(str(self._folder))}"
        if self.left:
            line += f", {self.left:,} rejected left where they are"
        if self.failed:
            line += f", {self.failed:,} could not be {_DONE[self._mode]}:"
        lines = [f"  {printable(path)}: {printable(reason)}" for path, reason in self.problems]
        if self.failed > len(lines):
            lines.append(f"  … and {self.failed - len(lines):,} more")
        return "\n".join([line, *lines])

    def _place(self, row: Prediction, item: Item) -> None:
        path, content = row.path, None
        label = label_folder(row.label, self._name_max)
        if isinstance(item, UnreadableItem):
            if self._mode == "move" and self._was_placed(label, path):
                return
            item.read()  # raises the reason
        if item.location is None:
            if self._mode != "copy":
                raise UsageError(
                    f"{printable(path)} is inside an archive: such pictures can only be copied"
                )
            if not self._dry_run or (item.held and type(item) is not RemoteItem):
                path, content = _content(path, item.read(self._max_bytes))
        for place in places(path, self._name_max):
            target = self._target(label, place)
            if self._dry_run:
                self._report(f"{printable(row.path)} → {printable(target)}")
                return
            with writing(Path(target)):
                if self._folders.make(label, place) and self._put(item, content, target):
                    return
        raise ImageError("no free name for it in the tree")

    def _target(self, label: str, place: str) -> str:
        return os.path.join(self._folder, label, *place.split("/"))  # noqa: PTH118

    def _was_placed(self, label: str, path: str) -> bool:
        """Whether an earlier run moved it; the second name is for paths that are too long."""
        first_two = islice(places(path, self._name_max), 2)
        return any(os.path.lexists(self._target(label, place)) for place in first_two)

    def _put(self, item: Item, content: bytes | None, target: str) -> bool:
        try:
            if item.location is None:
                return write_content(content or b"", target, self._temporary)
            if self._mode == "link":
                return link_file(item.location, target)
            if self._mode == "move":
                return move_file(item.location, target, self._temporary)
            return copy_file(item.location, target, self._temporary)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:  # the path as a whole; others are shorter
                raise
            return False


def _longest_name(folder: Path) -> int:
    if sys.platform == "win32":
        return NAME_MAX
    try:
        longest = os.pathconf(folder, "PC_NAME_MAX")
    except OSError:  # no answer from some systems
        return NAME_MAX
    return min(longest, NAME_MAX) if longest > 0 else NAME_MAX


def _content(path: str, content: bytes | Picture) -> tuple[str, bytes]:
    """Name and bytes of a file for a picture without one; decoded pictures become PNG."""
    if isinstance(content, bytes):
        return path, content
    import cv2

    _, encoded = cv2.imencode(".png", content.grey)
    return path if path.lower().endswith(".png") else f"{path}.png", encoded.tobytes()
