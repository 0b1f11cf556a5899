"""A filesystem for fsspec whose pictures are made when they are asked for: `slow://COUNT/`.

Folders of a thousand, `000/000000.png` and so on; no names are held, so there may be millions.
Every request takes SLOWFS_DELAY seconds, by default none. A file whose path holds "flaky" fails
twice before it can be read, one with "broken" always, with "closed" for lack of permission.

`slowfs-1.dist-info` beside this file makes it known in every process that has the folder in its
path.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from functools import lru_cache
from typing import Any, ClassVar

from fsspec import AbstractFileSystem
from pictures import encoded, frame

FOLDER = 1000  # pictures
KINDS = 100  # different ones
MOST_NOTED = 10_000  # requests of different things; memory has to stay flat over millions


@lru_cache(maxsize=KINDS)
def picture(number: int) -> bytes:
    """The bytes of a picture, by its number below `KINDS`."""
    return encoded(frame(number))


class SlowFileSystem(AbstractFileSystem):
    """See the module."""

    protocol = "slow"
    cachable = False
    requests: ClassVar[Counter[str]] = Counter()  # by what was asked for
    _lock = threading.Lock()

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        """Without user, password and query, as web servers take them."""
        stripped: str = super()._strip_protocol(path)
        return stripped.partition("?")[0].rpartition("@")[2]

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """A folder, or the folders of a count."""
        path = self._strip_protocol(path)
        count, _, folder = path.partition("/")
        self._asked(f"ls {path}")
        if not count.isdigit():
            raise FileNotFoundError(path)
        if folder:
            first = int(folder) * FOLDER
            last = min(first + FOLDER, int(count))
            names = [f"{path}/{number:06}.png" for number in range(first, last)]
        else:
            names = [f"{path}/{number:03}" for number in range(-(-int(count) // FOLDER))]
        return [self.info(name) for name in names] if detail else names

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Of a file or a folder."""
        path = self._strip_protocol(path)
        if "nothing" in path or "*" in path:
            raise FileNotFoundError(path)
        if path.endswith(".png"):
            size = len(picture(_number(path)))
            return {"name": path, "size": size, "type": "file", "mtime": 1}
        return {"name": path, "size": 0, "type": "directory"}

    def cat_file(
        self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
    ) -> bytes:
        """The bytes of a file."""
        path = self._strip_protocol(path)
        number = self._asked(path)
        if "closed" in path:
            raise PermissionError(path)
        if "broken" in path or ("flaky" in path and number < 3):
            raise OSError("the line is down")
        self.info(path)
        return picture(_number(path))[start:end]

    def _asked(self, what: str) -> int:
        """Note a request and take the time for it; how often it was made."""
        kind = SlowFileSystem
        with kind._lock:
            if len(kind.requests) < MOST_NOTED or what in kind.requests:
                kind.requests[what] += 1
            number = kind.requests[what]
        time.sleep(float(os.environ.get("SLOWFS_DELAY", "0")))
        return number


def _number(path: str) -> int:
    digits = "".join(filter(str.isdigit, path.rpartition("/")[2]))
    return int(digits or 0) % KINDS
