"""The pictures in a zip archive. Its list of members is held in memory: 0.6 KB for each."""

from __future__ import annotations

import mmap
import os
import zipfile
import zlib
from collections.abc import Iterator
from copy import copy
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from fmnist_cli.errors import DataError, ImageError
from fmnist_cli.sources.archive import (
    LINK,
    OUTSIDE,
    Archive,
    member_path,
    points_outside,
    read_at,
    unreadable_archive,
)
from fmnist_cli.sources.containers import ContainerSource
from fmnist_cli.sources.items import (
    HEAD,
    MAX_BYTES,
    Item,
    Skipped,
    UnreadableItem,
    read_head,
    too_large,
)
from fmnist_cli.sources.kinds import has_image_suffix, looks_like_image

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_FAT, _UNIX, _LINK_MODE, _ENCRYPTED = 0, 3, 0o12, 1
_MEMBER, _END = b"PK\3\4", b"PK\5\6"
_COMMENT = 22 + 65535  # bytes of the end and the longest comment
_HEADER = 30  # bytes of a member's own header, without its name and extra field
_USUAL_EXTRA = 512  # bytes, so that header and content usually come in one read
# Compressed bytes that give the first `HEAD` of any sane member; bzip2 gives whole blocks only.
_HEAD_PACKED = {zipfile.ZIP_BZIP2: 1 << 20}
_HEAD_PACKED_USUAL = 1024


class ZipSource(ContainerSource):
    """Pictures in a zip archive, in the order of its list; recognised by suffix or content.

    Links with a picture's name are rejected with the reason.

    Raises:
        DataError: the file is no whole zip archive.
    """

    def __init__(self, path: Path, *rest: Any) -> None:
        super().__init__(path, *rest)
        self._archive = Archive.at(path)
        self._members = _members(path)
        self._overlapping = _overlapping(self._members)

    def __deepcopy__(self, memo: dict[int, Any]) -> ZipSource:
        """Another reader of the same list."""
        return copy(self)

    def __iter__(self) -> Iterator[Item]:
        self.skipped = Skipped()
        for member in self._members:
            name = member_path(_name(member))
            if name is None or member.is_dir() or not self._selection.wants(name):
                continue
            item = self._item(member, name)
            if item is None:
                self.skipped.add(self._prefix + name)
            else:
                yield item

    def _item(self, member: zipfile.ZipInfo, name: str) -> Item | None:
        """The item of a member; None when it is no picture."""
        path, suffix = self._prefix + name, has_image_suffix(name)
        encrypted = member.flag_bits & _ENCRYPTED
        fault = _fault(member, name)
        if member.header_offset in self._overlapping:
            fault = "reaches into another member of the archive"
        if fault is not None:
            return UnreadableItem(path, fault) if suffix or encrypted else None
        item = ZipItem(
            path,
            self._archive,
            member.header_offset,
            member.compress_size,
            member.file_size,
            member.compress_type,
            member.CRC,
        )
        if suffix:
            return item
        try:
            return item if looks_like_image(item.head()) else None
        except ImageError:
            return item  # it might be a picture: its row will hold the reason


def _members(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with path.open("rb") as file:
            members = _listed(file)
            end = file.seek(0, os.SEEK_END)
            # A comment, or what follows, may hold the mark of the end and so hide the list.
            while not members and end and read_head(str(path), 4) == _MEMBER:
                start = file.seek(max(0, end - _COMMENT))
                end = start + max(0, file.read(end - start).rfind(_END))
                with mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ) as before:
                    members = _listed(before)
        return members
    except OSError as error:
        raise unreadable_archive(path, error) from error
    except MemoryError:
        raise
    except Exception as error:  # zipfile's own, and those of values that no archive has
        raise DataError(
            f"{path}: this zip archive is cut off or damaged ({error}). Fetch it again, or try:"
            " zip -FF. Parts of a split archive are joined by: zip -s 0"
        ) from error


def _listed(file: IO[bytes] | mmap.mmap) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(cast("IO[bytes]", file)) as archive:
        return archive.infolist()


def _overlapping(members: list[zipfile.ZipInfo]) -> set[int]:
    """Where members start that reach into the next, as they do in archives made to explode."""
    by_place = sorted(members, key=lambda one: one.header_offset)
    return {
        one.header_offset
        for one, following in pairwise(by_place)
        if one.header_offset + _HEADER + one.compress_size > following.header_offset
    }


def _name(member: zipfile.ZipInfo) -> str:
    # Some programs for Windows write its separator, against the standard.
    name = member.filename
    return name.replace("\\", "/") if member.create_system == _FAT else name


def _fault(member: zipfile.ZipInfo, name: str) -> str | None:
    if member.create_system == _UNIX and member.external_attr >> 28 == _LINK_MODE:
        return LINK
    if points_outside(name):
        return OUTSIDE
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted in the archive; unpack it with its password first"
    if member.compress_type not in _METHODS:
        return f"is compressed by method {member.compress_type} of zip, which is not supported"
    return None


class ZipItem(NamedTuple):
    """A member of a zip archive; whichever worker reads it also inflates it."""

    path: str
    archive: Archive
    offset: int  # of the member's header
    packed: int  # bytes
    length: int  # bytes
    method: int
    crc: int

    @property
    def location(self) -> None:
        """None: it is part of a file."""
        return

    @property
    def held(self) -> int:
        """Nothing: the worker reads it."""
        return 0

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """The member's bytes; checked, and never more of them than `max_bytes`."""
        if max(self.length, self.packed) > max_bytes:
            raise too_large(max(self.length, self.packed), max_bytes)
        packed = self._packed(self.packed)
        if len(packed) < self.packed:
            raise ImageError("cut off: the archive ends within it")
        # One byte more than announced is enough to see that there are more.
        data = _inflated(packed, self.method, self.length + 1)
        if len(data) != self.length or zlib.crc32(data) != self.crc:
            raise ImageError("damaged in the archive: wrong size or checksum")
        return data

    def head(self) -> bytes:
        """The member's first bytes."""
        enough = _HEAD_PACKED.get(self.method, _HEAD_PACKED_USUAL)
        packed = self._packed(min(self.packed, enough))
        return _inflated(packed, self.method, HEAD)[:HEAD]

    def signature(self) -> str:
        """Size and checksum."""
        return f"{self.length} {self.crc:08x}"

    def size(self) -> int:
        """Size of the member."""
        return self.length

    def _packed(self, count: int) -> bytes:
        block = read_at(self.archive, self.offset, _HEADER + _USUAL_EXTRA + count)
        if not block.startswith(_MEMBER) or len(block) < _HEADER:
            raise ImageError("damaged: it is not where the archive's list says")
        start = _HEADER + int.from_bytes(block[26:28], "little")
        start += int.from_bytes(block[28:30], "little")
        if start > _HEADER + _USUAL_EXTRA:
            return read_at(self.archive, self.offset + start, count)
        return block[start : start + count]


def _inflated(packed: bytes, method: int, limit: int) -> bytes:
    """The first `limit` bytes of the content."""
    try:
        if method == zipfile.ZIP_STORED:
            return packed[:limit]
        if method == zipfile.ZIP_DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
        if method == zipfile.ZIP_BZIP2:
            import bz2

            return bz2.BZ2Decompressor().decompress(packed, limit)
        return _unpacked_lzma(packed, limit)
    except Exception as error:
        # Each decompressor has exceptions of its own; damaged data is all they mean here.
        raise ImageError(f"damaged in the archive: {error or type(error).__name__}") from error


def _unpacked_lzma(packed: bytes, limit: int) -> bytes:
    import lzma

    # Two bytes of version, the size of the properties (always 5), and those.
    properties, rest = divmod(packed[4], 9)
    chain = {
        "id": lzma.FILTER_LZMA1,
        # Larger than the content it need not be, whatever is claimed.
        "dict_size": max(4096, min(int.from_bytes(packed[5:9], "little"), limit)),
        "lc": rest,
        "lp": properties % 5,
        "pb": properties // 5,
    }
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[chain])
    return unpacker.decompress(packed[4 + int.from_bytes(packed[2:4], "little") :], limit)
