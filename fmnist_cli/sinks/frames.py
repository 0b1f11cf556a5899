"""A folder of what the model saw: a PNG per picture, written by the workers.

No list of what is there is kept: a file is whole under its name or not there, so a run that
was killed and is resumed leaves the same folder.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import cv2

from fmnist_cli.contract import Pixels
from fmnist_cli.errors import FmnistError
from fmnist_cli.files import writing
from fmnist_cli.sinks.placing import Folders, places, write_content

_TEMPORARY = ".fmnist.*.partial"


class FrameFolder:
    """Callable: (path of a row, what the model saw) → ``FOLDER/PATH.png``.

    A path that already ends so stays as it is; one that would lead out of the folder or is
    in the way of another gets a safe name (`fmnist_cli.sinks.placing`). Several
    processes and threads may write into the same folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._folders = Folders(str(self._folder.parent))
        if self._folder.is_dir():
            for left in self._folder.glob(_TEMPORARY):  # by a run that was killed
                left.unlink(missing_ok=True)

    def __call__(self, path: str, pixels: Pixels) -> None:
        """Write one picture, grey [H, W] or RGB [H, W, 3].

        Raises:
            FmnistError: it cannot be written.
        """
        bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        content = cv2.imencode(".png", bgr)[1].tobytes()
        mine = f"{os.getpid()}-{threading.get_ident()}"
        temporary = self._folder / _TEMPORARY.replace("*", mine)
        for place in places(path if path.lower().endswith(".png") else f"{path}.png"):
            target = self._folder.joinpath(*place.split("/"))
            with writing(target):
                made = self._folders.make(self._folder.name, place)
                if made and write_content(content, str(target), str(temporary)):
                    return
        raise FmnistError(f"there is no free name in {self._folder} for {path}")
