"""An object on a filesystem elsewhere, as an item."""

from __future__ import annotations

from typing import NamedTuple

from fmnist_cli.errors import ImageError, RemoteError
from fmnist_cli.remote import opened, timed, tried
from fmnist_cli.sources.items import HEAD, MAX_BYTES, too_large


class RemoteItem(NamedTuple):
    """An object on a filesystem elsewhere.

    Attributes:
        path: stable name.
        root: URL of the folder that was listed, or of the object itself.
        name: of the object below it; empty for the object itself.
        size: bytes, if they are known.
        mark: what changes when the content does; empty if nothing is known.
        limit: larger objects are not read.
    """

    path: str
    root: str
    name: str = ""
    size: int | None = None
    mark: str = ""
    limit: int = MAX_BYTES

    @property
    def location(self) -> None:
        """None: it is not on this machine's disk."""
        return

    @property
    def held(self) -> int:
        """Bytes that there will be when it is fetched, as far as that is known."""
        return self.size or 0

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """The object's bytes, asked for here and now."""
        most = min(max_bytes, self.limit)
        if self.size is not None and self.size > most:
            raise too_large(self.size, most)
        # Where the size is not known, no more is asked for than tells that it is too large.
        content = self._content(None if self.size is not None else most + 1)
        if len(content) > most:
            raise too_large(len(content), most)
        return content

    def head(self) -> bytes:
        """The object's first bytes."""
        return b"" if self.size == 0 else self._content(HEAD)

    def signature(self) -> str:
        """Size and mark as they were listed; constant where the object is only named in a list."""
        return f"{self.size} {self.mark}"

    def _content(self, end: int | None) -> bytes:
        url = joined(self.root, self.name)

        def get() -> bytes:
            system, path = opened(self.root)
            path = joined(path, self.name)
            limit = timed(system, self.size)
            if end is None:
                content: bytes = system.cat_file(path, **limit)
                return content
            try:
                content = system.cat_file(path, start=0, end=end, **limit)
            except Exception as error:
                if "range" not in str(error).lower() and getattr(error, "status", None) != 416:
                    raise
                content = system.cat_file(path, **limit)  # an empty object has no first byte
            return content

        try:
            return tried(get, "read", url)
        except RemoteError as error:
            raise ImageError(str(error)) from error


def joined(root: str, name: str) -> str:
    """The URL or path of what is in a folder; of the folder itself if there is no name."""
    return f"{root.rstrip('/')}/{name}" if name else root
