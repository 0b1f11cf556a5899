"""Folders of a sorted tree, made as they are needed and never through a link."""

from __future__ import annotations

import errno
import os
import stat

from fmnist_cli.errors import UsageError

_MAX_KNOWN = 1_000


class Folders:
    """Makes folders under a root, and remembers some of those that are there."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._known: set[str] = set()

    def make(self, label: str, place: str) -> bool:
        """Make those of the file `place` within the folder `label`.

        Returns:
            False when something else is in the way, or the path gets too long.

        Raises:
            UsageError: the label's own folder is a link or a file.
        """
        folder = self._root
        for depth, name in enumerate((label, *place.split("/")[:-1])):
            folder = os.path.join(folder, name)  # noqa: PTH118
            if folder in self._known:
                continue
            try:
                os.mkdir(folder)  # noqa: PTH102
            except FileExistsError:
                # A link may lead out of the tree, so it is not followed.
                if not stat.S_ISDIR(os.lstat(folder).st_mode):
                    if depth == 0:
                        raise UsageError(f"{folder} is not a folder; remove it") from None
                    return False
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                return False
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known.add(folder)
        return True
