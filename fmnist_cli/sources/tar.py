"""The pictures in a tar archive, compressed or not; WebDataset shards are such archives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fmnist_cli.decode.kinds import SNIFF, has_image_suffix, looks_like_image
from fmnist_cli.sources.archive import (
    LINK,
    OUTSIDE,
    Archive,
    MemberItem,
    member_path,
    points_outside,
)
from fmnist_cli.sources.base import HeldItem, Item, Selection, UnreadableItem, too_large
from fmnist_cli.sources.streams import BrokenStreamError, Forward
from fmnist_cli.sources.tar_headers import DamagedTarError, TarHeader, tar_headers

_SPARSE = "is stored as a sparse file, which is not supported; make the archive without --sparse"


class TarSource:
    """Pictures in a tar archive, in its order; told by suffix or content, as in folders.

    Workers read from a plain archive by address. A compressed one can only be read from the
    front, so its items hold their content. Links with a picture's name are rejected with the
    reason: what they point to has its own row. Where the archive is damaged or cut off, a
    last item named after the archive says so.

    Args:
        path: the archive.
        prefix: put before the members' paths.
        selection: what to take.
        compression: as for `Forward`.

    Raises:
        UsageError: on iteration, when this Python cannot decompress it.
        DataError: on iteration, when the file cannot be opened.
    """

    skipped_archives = 0

    def __init__(
        self,
        path: Path,
        prefix: str = "",
        selection: Selection | None = None,
        compression: str | None = None,
    ) -> None:
        self._path = path
        self._prefix = prefix
        self._selection = selection or Selection()
        self._compression = compression
        self.skipped = 0

    def __iter__(self) -> Iterator[Item]:
        self.skipped = 0
        members = 0
        archive = Archive.at(self._path)
        with Forward(self._path, self._compression) as stream:
            try:
                for header in tar_headers(stream):
                    if self._compression is None and stream.position + header.size > archive.size:
                        raise DamagedTarError("cut off")
                    yield from self._member(header, stream, archive)
                    members += 1
            except (DamagedTarError, BrokenStreamError) as error:
                said = f": {error}" if isinstance(error, BrokenStreamError) else ""
                what = str(error) if isinstance(error, DamagedTarError) else "damaged or cut off"
                reason = f"archive {what} after {members:,} members{said}"
                yield UnreadableItem(self._path.as_posix(), reason)

    def _member(self, header: TarHeader, stream: Forward, archive: Archive) -> Iterator[Item]:
        name = member_path(header.name)
        if name is None or header.kind == "other" or not self._selection.wants(name):
            return
        path = self._prefix + name
        suffix = has_image_suffix(name)
        if header.kind != "file" or points_outside(name):
            if suffix:
                reason = {"link": LINK, "sparse": _SPARSE}.get(header.kind, OUTSIDE)
                yield UnreadableItem(path, reason)
            else:
                self.skipped += 1
            return
        offset = stream.position
        head = b"" if suffix else stream.read(min(SNIFF, header.size))
        if not suffix and not looks_like_image(head):
            self.skipped += 1
        elif self._compression is None:
            yield MemberItem(path, archive, offset, header.size, header.changed)
        elif header.size > self._selection.max_bytes:
            yield UnreadableItem(path, str(too_large(header.size, self._selection.max_bytes)))
        else:
            content = head + stream.read(header.size - len(head))
            if len(content) < header.size:
                raise DamagedTarError("cut off")
            yield HeldItem(path, content)
