"""The pictures in a zip archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from fmnist_cli.decode.kinds import has_image_suffix, looks_like_image
from fmnist_cli.errors import ImageError
from fmnist_cli.sources.archive import (
    LINK,
    OUTSIDE,
    Archive,
    member_path,
    points_outside,
)
from fmnist_cli.sources.base import Item, Selection, UnreadableItem
from fmnist_cli.sources.zip_directory import (
    DamagedZipError,
    ZipRecord,
    check_zip,
    zip_records,
)
from fmnist_cli.sources.zip_member import METHODS, ZipItem


class ZipSource:
    """Pictures in a zip archive, in the order of its list; told by suffix or content.

    Links with a picture's name are rejected with the reason. Where the list breaks off, a
    last item named after the archive says so.

    Raises:
        DataError: the file is no whole zip archive.
    """

    skipped_archives = 0

    def __init__(self, path: Path, prefix: str = "", selection: Selection | None = None) -> None:
        self._path = path
        self._prefix = prefix
        self._selection = selection or Selection()
        self.skipped = 0
        check_zip(path)

    def __iter__(self) -> Iterator[Item]:
        self.skipped = 0
        archive = Archive.at(self._path)
        members = 0
        try:
            for record in zip_records(self._path):
                members += 1
                name = member_path(record.name)
                if name is None or record.name.endswith("/") or not self._selection.wants(name):
                    continue
                item = _item(record, name, self._prefix + name, archive)
                if item is None:
                    self.skipped += 1
                else:
                    yield item
        except DamagedZipError:
            reason = f"archive damaged: its list breaks off after {members:,} members"
            yield UnreadableItem(self._path.as_posix(), reason)


def _item(record: ZipRecord, name: str, path: str, archive: Archive) -> Item | None:
    """The item of a member; None when it is no picture."""
    fault = _fault(record, name)
    suffix = has_image_suffix(name)
    if fault is not None:
        return UnreadableItem(path, fault) if suffix or record.encrypted else None
    item = ZipItem(
        path, archive, record.offset, record.packed, record.size, record.method, record.crc
    )
    if suffix:
        return item
    try:
        return item if looks_like_image(item.head()) else None
    except ImageError:
        return item  # it might be a picture: its row will hold the reason


def _fault(record: ZipRecord, name: str) -> str | None:
    if record.link:
        return LINK
    if points_outside(name):
        return OUTSIDE
    if record.encrypted:
        return "is encrypted in the archive; unpack it with its password first"
    if record.method not in METHODS:
        return f"is compressed by method {record.method} of zip, which is not supported"
    return None
